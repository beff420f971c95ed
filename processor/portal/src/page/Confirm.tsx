import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { useId, useLayoutEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import classes from "./Confirm.module.css";

interface ConfirmProps {
  /** The question. */
  title: string;
  /** What will change. */
  detail: string;
  /** What the button that does it says. */
  action: string;
  onConfirm: () => void;
  onCancel: () => void;
}

/** Asks before something is changed. The browser keeps the focus inside, and gives it back; Escape cancels. */
export function Confirm({ title, detail, action, onConfirm, onCancel }: ConfirmProps) {
  const { t } = useTranslation();
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Before the dialog is taken away, or the browser could not give the focus back.
  useLayoutEffect(() => {
    const { current } = dialog;
    current?.showModal();
    return () => current?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className={classes.dialog}
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-detail`}
      onCancel={(event) => {
        event.preventDefault();
        onCancel();
      }}
    >
      <Stack gap="md">
        <Title order={2} size="h4" id={`${id}-title`}>
          {title}
        </Title>
        <Text id={`${id}-detail`}>{detail}</Text>
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onCancel}>
            {t("confirm.cancel")}
          </Button>
          <Button onClick={onConfirm}>{action}</Button>
        </Group>
      </Stack>
    </dialog>
  );
}

import { Alert, Button, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Refused } from "../api/request.ts";
import { Icon } from "../icon/Icon.tsx";

interface ProblemAlertProps {
  error: unknown;
  /** What could not be done, if the problem's own title should not stand alone. */
  doing?: string;
  onRetry?: () => void;
}

/** Says what failed and what to do: the API's own words where it answered. */
export function ProblemAlert({ error, doing, onRetry }: ProblemAlertProps) {
  const { t } = useTranslation();
  const refused = error instanceof Refused ? error.problem : null;
  const unreachable = error instanceof TypeError;
  const title = refused?.title ?? t(unreachable ? "problem.unreachable" : "problem.unexpected");
  const detail = refused?.detail ?? (unreachable ? t("problem.unreachableDetail") : String(error));
  return (
    <Alert
      role="alert"
      variant="outline"
      color="var(--page-bad)"
      bg="var(--page-bad-ground)"
      icon={<Icon name="alert" />}
      title={doing ?? <span {...(refused === null ? {} : { lang: "en" })}>{title}</span>}
    >
      <Stack gap="xs" align="flex-start">
        <Text size="sm" style={{ overflowWrap: "anywhere" }} {...(refused === null ? {} : { lang: "en" })}>
          {doing === undefined ? detail : `${title}: ${detail}`}
        </Text>
        {onRetry !== undefined && (
          <Button size="compact-sm" variant="default" onClick={onRetry} leftSection={<Icon name="again" size={16} />}>
            {t("problem.retry")}
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

import { Button } from "@mantine/core";
import { useState, type MouseEvent } from "react";
import { useTranslation } from "react-i18next";
import { address, request } from "../api/request.ts";
import { Icon } from "../icon/Icon.tsx";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { storedToken } from "../token/token.ts";

interface DownloadProps {
  /** The API path of what is downloaded. */
  path: string;
  /** The file's name. */
  name: string;
  label: string;
  compact?: boolean;
}

/** A link cannot carry the token: the file is fetched and handed over as a blob. */
async function fetchFile(path: string, name: string) {
  const url = URL.createObjectURL(await (await request(path)).blob());
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  // The browser needs the blob until it has started to save it.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A link that saves a file. */
export function Download({ path, name, label, compact = false }: DownloadProps) {
  const { t } = useTranslation();
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  const fetchWithToken = async (event: MouseEvent) => {
    if (storedToken() === null) return;
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await fetchFile(path, name);
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };

  return (
    <>
      <Button
        component="a"
        href={address(path)}
        download={name}
        onClick={fetchWithToken}
        loading={busy}
        variant="default"
        size={compact ? "compact-sm" : "sm"}
        leftSection={<Icon name="download" />}
        aria-label={`${label}: ${name}`}
      >
        {label}
      </Button>
      {error !== null && <ProblemAlert error={error} doing={t("download.failed", { name })} />}
    </>
  );
}

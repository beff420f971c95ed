import { Alert, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { stacksQuery } from "../api/queries.ts";
import { Icon } from "../icon/Icon.tsx";
import { Empty } from "../page/Empty.tsx";
import { Heading } from "../page/Heading.tsx";
import { ProblemAlert } from "../page/ProblemAlert.tsx";
import { Dropper } from "../upload/Dropper.tsx";
import { UploadList } from "../upload/UploadList.tsx";
import { LatestRuns } from "../run/LatestRuns.tsx";
import { FullScan } from "./FullScan.tsx";
import { StackChoice } from "./StackChoice.tsx";
import { StackResults } from "./StackResults.tsx";

/** The start: choose a stack and send it a file. */
export function Send({ chosen }: { chosen: string | undefined }) {
  const { t } = useTranslation();
  const { data, error, refetch } = useQuery(stacksQuery);
  const stacks = data?.stacks ?? [];
  const stack = chosen === undefined ? stacks[0] : stacks.find(({ name }) => name === chosen);

  return (
    <Stack gap="lg">
      <Stack gap={4}>
        <Heading>{t("send.title")}</Heading>
        <Text c="dimmed" maw={720}>
          {t("send.lead")}
        </Text>
      </Stack>
      {error !== null && <ProblemAlert error={error} onRetry={() => void refetch()} />}
      {data === undefined && error === null && <Skeleton height={280} aria-label={t("loading")} />}
      {data !== undefined && stacks.length === 0 && (
        <Empty icon="info" title={t("send.none")} detail={t("send.noneDetail")} />
      )}
      {stacks.length > 0 && <StackChoice stacks={stacks} chosen={stack?.name ?? null} />}
      {data !== undefined && stacks.length > 0 && stack === undefined && (
        <Alert
          color="var(--page-warn)"
          bg="var(--page-warn-ground)"
          variant="outline"
          icon={<Icon name="alert" />}
          title={t("send.unknown", { stack: chosen })}
        >
          {t("send.unknownDetail")}
        </Alert>
      )}
      {stack !== undefined && (
        <>
          <Dropper key={stack.name} stack={stack} />
          <UploadList stack={stack.name} />
          <StackResults stack={stack} />
          <LatestRuns stack={stack.name} />
          {stack.fullScan !== null && <FullScan scan={stack.fullScan} />}
        </>
      )}
    </Stack>
  );
}

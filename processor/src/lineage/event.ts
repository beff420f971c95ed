import { createHash } from "node:crypto";
import type { Run, TableColumn } from "@cais/spec/api.ts";

/** OpenLineage's own schema, and those of the facets that are sent (https://openlineage.io/docs/spec/facets/). */
const SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const facetVersions = {
  Schema: "1-2-0/SchemaDatasetFacet",
  Datasource: "1-0-1/DatasourceDatasetFacet",
  DatasetVersion: "1-0-1/DatasetVersionDatasetFacet",
  InputStatistics: "1-0-0/InputStatisticsInputDatasetFacet",
  OutputStatistics: "1-0-2/OutputStatisticsOutputDatasetFacet",
  ErrorMessage: "1-0-1/ErrorMessageRunFacet",
  JobType: "2-0-4/JobTypeJobFacet",
};
const PRODUCER = "urn:cais:processor";

/** Namespace of the run ids, a random one (RFC 9562, section 6.6). */
const RUN_IDS = Buffer.from("6f0d6a2e0c5d4f6f9a3b1d2c7e8f9a0b", "hex");

/** What an event tells beside the run itself. */
export interface Told {
  environment: string;
  /** Where the file lies: a path or a URL. */
  file: string;
  /** Columns by table, of those that are known. */
  columns: Map<string, TableColumn[]>;
  now: Date;
}

/** START of a first attempt and RUNNING of later ones, or how the run ended. */
export type Moment = "began" | "ended";

/** An event of OpenLineage about a run. It holds names, places, columns and counts, and never a cell: so no error's text. */
export function eventOf(run: Run, moment: Moment, { environment, file, columns, now }: Told): object {
  const hasEnded = moment === "ended";
  const isDone = run.state === "done";
  const eventType = hasEnded ? (isDone ? "COMPLETE" : "FAIL") : run.attempts <= 1 ? "START" : "RUNNING";
  const time = hasEnded ? run.finishedAt : null;
  return {
    eventType,
    eventTime: time ?? now.toISOString(),
    producer: PRODUCER,
    schemaURL: SPEC,
    run: {
      runId: uuidOf(run.id),
      facets:
        hasEnded && !isDone
          ? {
              errorMessage: {
                ...facet("ErrorMessage"),
                message: `The run ${run.id} of the stack ${run.stack} ended as ${run.state}; npx cais runs ${run.id} tells why.`,
                programmingLanguage: "TypeScript",
              },
            }
          : {},
    },
    job: {
      namespace: `cais-${environment}`,
      name: run.stack,
      facets: {
        jobType: { ...facet("JobType"), processingType: "BATCH", integration: "CAIS", jobType: run.kind.toUpperCase() },
      },
    },
    inputs: [
      {
        ...placeOf(file),
        inputFacets: {
          inputStatistics: {
            ...facet("InputStatistics"),
            size: run.file.bytes,
            fileCount: 1,
            ...(hasEnded && { rowCount: run.rows.read }),
          },
        },
      },
    ],
    outputs: hasEnded ? run.outputs.map((output) => outputOf(output, run.stack, columns)) : [],
  };
}

function outputOf(
  { kind, name, location, rows, bytes, version }: Run["outputs"][number],
  stack: string,
  columns: Map<string, TableColumn[]>,
): object {
  const known = columns.get(name);
  const { namespace, name: path } = placeOf(location);
  return {
    namespace,
    name: path,
    facets: {
      dataSource: { ...facet("Datasource"), name: `${stack}/${kind}/${name}`, uri: uriOf(location) },
      ...(known !== undefined && {
        schema: {
          ...facet("Schema"),
          fields: known.map((column, i) => ({ name: column.name, type: column.type, ordinal_position: i + 1 })),
        },
      }),
      ...(version != null && { version: { ...facet("DatasetVersion"), datasetVersion: String(version) } }),
    },
    outputFacets: { outputStatistics: { ...facet("OutputStatistics"), rowCount: rows, size: bytes } },
  };
}

function facet(name: keyof typeof facetVersions): { _producer: string; _schemaURL: string } {
  const version = facetVersions[name];
  const [, definition = ""] = version.split("/");
  return { _producer: PRODUCER, _schemaURL: `https://openlineage.io/spec/facets/${version}.json#/$defs/${definition}` };
}

/**
 * A place as OpenLineage names datasets (https://openlineage.io/docs/spec/naming): `file` and the path, or the URL's scheme
 * and host and its path. What is neither, such as a service that a secret names, is named as it is told.
 */
function placeOf(location: string): { namespace: string; name: string } {
  if (location.startsWith("/")) return { namespace: "file", name: location };
  const [, origin, path] = /^([a-z][a-z0-9+.-]*:\/\/[^/]*)\/(.*)$/i.exec(location) ?? [];
  return origin === undefined || path === undefined
    ? { namespace: "cais", name: location }
    : { namespace: origin, name: path };
}

const uriOf = (location: string) =>
  location.startsWith("/")
    ? `file://${encodeURI(location)}`
    : /^[a-z][a-z0-9+.-]*:/i.test(location)
      ? location
      : `urn:cais:${encodeURIComponent(location)}`;

/** The same UUID for the same run, whoever asks (version 5, RFC 9562, section 5.5). */
export function uuidOf(run: string): string {
  const bytes = createHash("sha1").update(RUN_IDS).update(run).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** What a plan can fail of. */
export type PlanErrorCode =
  | "aborted"
  | "config-missing"
  | "config-secret"
  | "duplicate-urn"
  | "git-failed"
  | "invoke-unanswered"
  | "missing-parent"
  | "pack-failed"
  | "packages-missing"
  | "program-died"
  | "program-failed"
  | "project-invalid"
  | "revision-unknown"
  | "sdk-version"
  | "secret-in-name"
  | "stack-reference"
  | "stack-unknown";

/** A place in the program; `file` is relative to the project's root where it is in it. */
export interface Location {
  file: string;
  line: number;
}

/** Why there is no plan: one message for a person, the rest for a program. */
export class PlanError extends Error {
  override name = "PlanError";
  readonly code: PlanErrorCode;
  readonly location: Location | undefined;
  readonly urn: string | undefined;

  constructor(
    code: PlanErrorCode,
    message: string,
    details: { location?: Location | undefined; urn?: string | undefined; cause?: unknown } = {},
  ) {
    const place = details.location && `${details.location.file}:${details.location.line}:`;
    super(
      place === undefined || message.includes(place) ? message : `${place} ${message}`,
      details.cause === undefined ? {} : { cause: details.cause },
    );
    this.code = code;
    this.location = details.location;
    this.urn = details.urn;
  }
}

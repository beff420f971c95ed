import * as grpc from "@grpc/grpc-js";
import enginerpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import enginepb from "@pulumi/pulumi/proto/engine_pb.js";
import resrpc from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import path from "node:path";
import { PolicyPack } from "./analyzer.ts";
import { type Answer, answers as declaredAnswers } from "./answers.ts";
import type { Child } from "./child.ts";
import { engineService } from "./engine.ts";
import { PlanError } from "./error.ts";
import { Monitor } from "./monitor.ts";
import { type Message, type Plan, toPlan } from "./plan.ts";
import { requireSdk, startProgram } from "./program.ts";
import { loadProject, type Project } from "./project.ts";
import { redactError, Secrets } from "./redact.ts";
import { earlyEnd, programError } from "./report.ts";
import { channelOptions, listen } from "./server.ts";

export { PlanError, type PlanErrorCode } from "./error.ts";
export type { Message, Plan, PlannedResource, Violation } from "./plan.ts";

export interface PlanOptions {
  /** The folder with Pulumi.yaml. */
  root: string;
  stack: string;
  /** The folder of a policy pack to hold the plan to. */
  policyPack?: string;
  /** Ends everything that was started; the plan is refused with code `aborted`. */
  signal?: AbortSignal;
  /** Answers to data sources. Default: those of `answers.ts`. */
  answers?: Readonly<Record<string, Answer>>;
}

/**
 * Plans a stack offline: runs its program, unchanged, against an engine of ours on the loopback interface, then the
 * policy pack. Needs no credential, provider plugin or Pulumi CLI, and decrypts nothing.
 * @throws PlanError when there is no plan; a violation is part of the plan, not an error.
 */
export async function plan({ root, stack, policyPack, signal, answers }: PlanOptions): Promise<Plan> {
  const project = await loadProject(path.resolve(root), stack);
  requireSdk(project);
  const deployment = new Planning(project, answers ?? declaredAnswers);
  const abort = () => deployment.fail(new PlanError("aborted", `the plan of ${stack} was stopped`));
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await deployment.plan(policyPack === undefined ? undefined : path.resolve(policyPack));
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** One plan in the making, with all that has to be ended after it. */
class Planning {
  readonly #project: Project;
  readonly #secrets = new Secrets();
  readonly #monitor: Monitor;
  readonly #server = new grpc.Server(channelOptions);
  readonly #children = new Set<Child>();
  readonly #messages: Message[] = [];
  /** Rejected by the first failure. */
  readonly #failed = Promise.withResolvers<never>();
  #failure: PlanError | undefined;
  #pack: PolicyPack | undefined;

  constructor(project: Project, answers: Readonly<Record<string, Answer>>) {
    this.#project = project;
    this.#monitor = new Monitor(project, this.#secrets, answers, (error) => this.#refuse(error));
    for (const key of project.secretKeys) this.#secrets.add(project.config.get(key) ?? "");
  }

  /** Fails the plan at once. */
  fail(error: PlanError): void {
    this.#failure ??= error;
    this.#failed.reject(this.#failure);
  }

  /** Makes the plan and ends all that this has started. */
  async plan(packFolder: string | undefined): Promise<Plan> {
    try {
      return await Promise.race([this.#run(packFolder), this.#failed.promise]).finally(() => this.#close());
    } catch (error) {
      throw error instanceof PlanError ? redactError(error, this.#secrets.redactLines()) : error;
    }
  }

  async #run(packFolder: string | undefined): Promise<Plan> {
    this.#server.addService(resrpc.ResourceMonitorService, this.#monitor.service());
    this.#server.addService(
      enginerpc.EngineService,
      engineService(this.#monitor, (request) => this.#log(request)),
    );
    const address = await listen(this.#server);
    if (this.#failure) {
      // Stopped while the port was opened: `close` came too early for it.
      this.#server.forceShutdown();
      throw this.#failure;
    }
    const starting =
      packFolder === undefined
        ? undefined
        : PolicyPack.start(
            packFolder,
            this.#project,
            address,
            (child) => this.#children.add(child),
            (line) => this.#say("policy-pack", "info", line),
          ).then((pack) => (this.#pack = pack));
    const [pack] = await Promise.all([starting, this.#runProgram(address)]);
    const violations = pack ? await pack.review(this.#monitor.resources, this.#monitor.rootUrn) : [];
    const policies = pack?.policies ?? [];
    return toPlan(this.#project, this.#monitor, this.#secrets, { policies, violations, messages: this.#messages });
  }

  async #close(): Promise<void> {
    this.#monitor.close();
    for (const child of this.#children) child.kill();
    this.#server.forceShutdown();
    await Promise.allSettled([...this.#children].map((child) => child.exit));
    this.#pack?.close();
  }

  async #runProgram(address: string): Promise<void> {
    const lines: string[] = [];
    const program = startProgram(this.#project, address, {
      onLine: (line) => {
        lines.push(line);
        this.#say("program", "info", line);
      },
      onSecret: (text) => this.#secrets.add(text),
    });
    this.#children.add(program);
    const exit = await program.exit;
    if (this.#failure) throw this.#failure;
    if (exit.code !== 0 || !this.#monitor.finished) throw earlyEnd(exit, lines);
  }

  /** Takes note of a failed step. Its place may come with the SDK's own report, which follows. */
  #refuse(error: PlanError): void {
    this.#failure ??= error;
    if (this.#failure.location) this.fail(this.#failure);
  }

  #log(request: enginepb.LogRequest): void {
    const { DEBUG, INFO, WARNING } = enginepb.LogSeverity;
    const severity = request.getSeverity();
    if (severity === DEBUG || request.getEphemeral()) return;
    if (severity === INFO || severity === WARNING) {
      this.#say("program", severity === INFO ? "info" : "warning", request.getMessage(), request.getUrn());
      return;
    }
    const reported = programError(request.getMessage(), this.#project);
    if (!this.#failure) this.fail(reported);
    else
      this.#failed.reject(
        new PlanError(this.#failure.code, this.#failure.message, {
          location: reported.location,
          urn: this.#failure.urn,
          cause: this.#failure.cause,
        }),
      );
  }

  #say(from: Message["from"], level: Message["level"], text: string, urn = ""): void {
    this.#messages.push({ level, text, urn: urn || null, from });
  }
}

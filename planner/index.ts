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
import type { Place } from "./program-places.ts";
import { loadProject, type Project } from "./project.ts";
import { redactError, Secrets } from "./redact.ts";
import type { Registration } from "./registration.ts";
import { earlyEnd, placed, programError } from "./report.ts";
import { channelOptions, listen } from "./server.ts";
import { givenBy, type Given, referenceAnswer, References, referredStack } from "./stack-reference.ts";
import { type Properties, unknown } from "./value.ts";

export { PlanError, type PlanErrorCode } from "./error.ts";
export type { Message, Plan, PlannedResource, Rule, Violation } from "./plan.ts";
export { References } from "./stack-reference.ts";

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
  /** What stacks are known to give to others. Plans that share it plan a referenced stack once. Default: nothing. */
  references?: References;
}

/**
 * Plans a stack offline: runs its program, unchanged, against an engine of ours on the loopback interface, then the
 * policy pack. Needs no credential, provider plugin or Pulumi CLI, and decrypts nothing.
 * @throws PlanError when there is no plan; a violation is part of the plan, not an error.
 */
export async function plan({
  root,
  stack,
  policyPack,
  signal,
  answers = declaredAnswers,
  references = new References(),
}: PlanOptions): Promise<Plan> {
  const project = await loadProject(path.resolve(root), stack);
  requireSdk(project);
  const deployment = new Planning(project, answers, references);
  const abort = () => deployment.abort();
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
  readonly #answers: Readonly<Record<string, Answer>>;
  readonly #references: References;
  readonly #secrets = new Secrets();
  readonly #monitor: Monitor;
  readonly #server = new grpc.Server(channelOptions);
  readonly #children = new Set<Child>();
  /** The plans of the stacks that the program refers to, with what each of them is going to give. */
  readonly #referred = new Map<Planning, Promise<Given>>();
  readonly #messages: Message[] = [];
  readonly #places: Place[] = [];
  /** Rejected by the first failure. */
  readonly #failed = Promise.withResolvers<never>();
  #failure: PlanError | undefined;
  #pack: PolicyPack | undefined;

  constructor(project: Project, answers: Readonly<Record<string, Answer>>, references: References) {
    this.#project = project;
    this.#answers = answers;
    this.#references = references;
    this.#monitor = new Monitor(project, this.#secrets, answers, {
      fail: (error) => this.#refuse(error),
      refer: (reference) => this.#refer(reference),
    });
    for (const key of project.secretKeys) this.#secrets.add(project.config.get(key) ?? "");
  }

  /** Fails the plan at once. */
  fail(error: PlanError): void {
    this.#failure ??= error;
    this.#failed.reject(this.#failure);
  }

  abort(): void {
    this.fail(new PlanError("aborted", `the plan of ${this.#project.stack} was stopped`));
  }

  /** Makes the plan and ends all that this has started. */
  async plan(packFolder: string | undefined): Promise<Plan> {
    return this.#ending(async () => {
      const pack = await this.#run(packFolder);
      const violations = pack ? await pack.review(this.#monitor.resources, this.#monitor.rootUrn) : [];
      const rules = pack?.rules ?? [];
      this.#references.keep(this.#project, this.#given());
      return toPlan(this.#project, this.#monitor, this.#secrets, { rules, violations, messages: this.#messages });
    });
  }

  /** Makes the plan for those who refer to the stack, and ends all that this has started. */
  async give(): Promise<Given> {
    return this.#ending(async () => {
      await this.#run(undefined);
      return this.#given();
    });
  }

  async #ending<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await Promise.race([work(), this.#failed.promise]).finally(() => this.#close());
    } catch (error) {
      if (!(error instanceof PlanError)) throw error;
      throw redactError(placed(error, this.#places, this.#project.root), this.#secrets.redactLines());
    }
  }

  async #run(packFolder: string | undefined): Promise<PolicyPack | undefined> {
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
    return pack;
  }

  #given(): Given {
    return givenBy(this.#monitor.resources.get(this.#monitor.rootUrn)?.outputs ?? {}, this.#secrets);
  }

  /** What the program reads of a stack that it refers to. Where it is not known, a message says why. */
  async #refer({ id, urn, location }: Registration): Promise<Properties> {
    if (id === "" || id === unknown) return referenceAnswer(id, undefined);
    try {
      const referred = await referredStack(id, this.#project);
      if ("unknown" in referred) {
        this.#say("program", referred.level, referred.unknown, urn);
        return referenceAnswer(id, undefined);
      }
      const { stack } = referred;
      const { outputs, secrets } = await this.#references.of(this.#project, stack, () => this.#planReferred(stack));
      this.#secrets.addAll(secrets);
      return referenceAnswer(id, outputs);
    } catch (error) {
      if (!(error instanceof PlanError) || error.location !== undefined) throw error;
      throw new PlanError(error.code, error.message, { location, urn, cause: error.cause });
    }
  }

  async #planReferred(stack: string): Promise<Given> {
    try {
      const planning = new Planning(await loadProject(this.#project.root, stack), this.#answers, this.#references);
      if (this.#failure) throw this.#failure;
      const given = planning.give();
      this.#referred.set(planning, given);
      return await given;
    } catch (error) {
      if (!(error instanceof PlanError) || error.code === "aborted" || error.code === "stack-reference") throw error;
      throw new PlanError(
        "stack-reference",
        `the stack ${stack}, which the program refers to, has no plan: ${error.message}`,
        {
          location: error.location,
          cause: error,
        },
      );
    }
  }

  async #close(): Promise<void> {
    this.#monitor.close();
    for (const planning of this.#referred.keys()) planning.abort();
    for (const child of this.#children) child.kill();
    this.#server.forceShutdown();
    await Promise.allSettled([...[...this.#children].map((child) => child.exit), ...this.#referred.values()]);
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
      onPlace: (place) => this.#places.push(place),
    });
    this.#children.add(program);
    const exit = await program.exit;
    if (this.#failure) throw this.#failure;
    if (exit.code !== 0 || !this.#monitor.finished) throw earlyEnd(exit, lines, this.#places, this.#project.root);
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

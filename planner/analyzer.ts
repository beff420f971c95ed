import { createRequire } from "node:module";
import path from "node:path";
import * as grpc from "@grpc/grpc-js";
import analyzerrpc from "@pulumi/pulumi/proto/analyzer_grpc_pb.js";
import analyzerpb from "@pulumi/pulumi/proto/analyzer_pb.js";
import emptypb from "google-protobuf/google/protobuf/empty_pb.js";
import { type Child, startChild } from "./child.ts";
import { type Location, PlanError } from "./error.ts";
import type { Rule, Violation } from "./plan.ts";
import type { Project } from "./project.ts";
import { outputsOf, type Registration } from "./registration.ts";
import { readReport } from "./report.ts";
import { channelOptions } from "./server.ts";
import { isDefaultProvider, referenceUrn } from "./urn.ts";
import { decode, encode, type Properties, withoutReferences } from "./value.ts";

const severities = [null, "low", "medium", "high", "critical"] as const;

/** A policy pack at work: Pulumi's own entry point for packs, spoken to over the Analyzer protocol. */
export class PolicyPack {
  readonly #child: Child;
  readonly #client: analyzerrpc.AnalyzerClient;
  readonly #folder: string;
  /** Rules that are not disabled. */
  rules: Rule[] = [];

  private constructor(child: Child, address: string, folder: string) {
    this.#child = child;
    this.#client = new analyzerrpc.AnalyzerClient(address, grpc.credentials.createInsecure(), channelOptions);
    this.#folder = folder;
  }

  /** Starts the pack in `folder` and configures it; what it prints goes to `onLine`. */
  static async start(
    folder: string,
    project: Project,
    engineAddress: string,
    own: (child: Child) => void,
    onLine: (line: string) => void,
  ): Promise<PolicyPack> {
    const lines: string[] = [];
    const { promise: port, resolve: setPort } = Promise.withResolvers<string>();
    let serving = false;
    const child = startChild({
      script: packEntry(folder),
      // The SDK's start is most of what a pack costs.
      nodeArguments: [`--import=${import.meta.resolve("../programs/lean.ts")}`],
      arguments: [engineAddress, folder],
      folder,
      environment: {
        PULUMI_CONFIG: JSON.stringify(Object.fromEntries(project.config)),
        PULUMI_NODEJS_ORGANIZATION: project.organization,
        PULUMI_NODEJS_PROJECT: project.name,
        PULUMI_NODEJS_STACK: project.stack,
        PULUMI_NODEJS_DRY_RUN: "true",
        // Rules may take every text they see for one that the program or its config has in the open.
        CAIS_SECRETS_HIDDEN: "true",
        // The entry point loads a compiler that Node 24 leaves nothing to do for, and its cache lands in the system's temp folder.
        TS_NODE_CACHE: "false",
      },
      onLine: (line, stream) => {
        if (!serving && stream === "stdout" && /^\d+$/.test(line)) {
          serving = true;
          setPort(line);
        } else if (serving) onLine(line);
        else lines.push(line);
      },
    });
    own(child);
    const died = child.exit.then(({ code, signal }) => {
      const { message, location } = readReport(lines.join("\n"), { root: path.dirname(folder), folder });
      throw packFailed(folder, message || `it ended with ${signal ?? `exit code ${code}`}`, { location });
    });
    const pack = await Promise.race([port, died]).then((bound) => new PolicyPack(child, `127.0.0.1:${bound}`, folder));
    for (const line of lines) onLine(line);
    try {
      await pack.#configure(project, engineAddress);
    } catch (error) {
      pack.close();
      throw error;
    }
    return pack;
  }

  close(): void {
    this.#client.close();
    this.#child.kill();
  }

  async #configure(project: Project, engineAddress: string): Promise<void> {
    const handshake = new analyzerpb.AnalyzerHandshakeRequest()
      .setEngineAddress(engineAddress)
      .setRootDirectory(this.#folder)
      .setProgramDirectory(this.#folder);
    // 1.21 of the policy SDK serves no handshake; later ones may.
    await this.#call<unknown>((done) => this.#client.handshake(handshake, done)).catch((error: unknown) => {
      if (!isUnimplemented(error)) throw error;
    });
    const stack = new analyzerpb.AnalyzerStackConfigureRequest()
      .setStack(project.stack)
      .setProject(project.name)
      .setOrganization(project.organization)
      .setDryRun(true)
      .setConfigSecretKeysList(project.secretKeys);
    for (const [key, value] of project.config) stack.getConfigMap().set(key, value);
    await this.#call<unknown>((done) => this.#client.configureStack(stack, done));

    const info = await this.#call<analyzerpb.AnalyzerInfo>((done) =>
      this.#client.getAnalyzerInfo(new emptypb.Empty(), done),
    );
    const request = new analyzerpb.ConfigureAnalyzerRequest();
    for (const policy of info.getPoliciesList()) {
      const initial = info.getInitialconfigMap().get(policy.getName());
      const level = initial?.getEnforcementlevel() ?? policy.getEnforcementlevel();
      if (level !== analyzerpb.EnforcementLevel.DISABLED) this.rules.push(ruleOf(policy, level));
      // The engine, not the pack, fills in what the schema of a policy's config has as defaults.
      const defaults: Properties = {};
      for (const [key, schema] of Object.entries(decode(policy.getConfigschema()?.getProperties())))
        if (schema !== null && typeof schema === "object" && !Array.isArray(schema) && schema["default"] !== undefined)
          defaults[key] = schema["default"];
      const config = new analyzerpb.PolicyConfig()
        .setEnforcementlevel(level)
        .setProperties(encode({ ...defaults, ...decode(initial?.getProperties()) }));
      request.getPolicyconfigMap().set(policy.getName(), config);
    }
    if (info.getSupportsconfig()) await this.#call<unknown>((done) => this.#client.configure(request, done));
  }

  /** Holds every resource, then the stack, to the rules. Resource rules see inputs, stack rules outputs. */
  async review(resources: ReadonlyMap<string, Registration>, rootUrn: string): Promise<Violation[]> {
    // As in a preview, rules are not asked about what exists already and is only read. What a preview keeps from them, too,
    // is a reference to another stack, which the rules about environments need to see.
    const all = [...resources.values()].filter(({ read, type }) => !read || type === "pulumi:pulumi:StackReference");
    const perResource = await Promise.all(
      all.map(async (resource) => {
        const request = new analyzerpb.AnalyzeRequest()
          .setType(resource.type)
          .setUrn(resource.urn)
          .setName(resource.name)
          .setProperties(propertiesOf(resource.inputs))
          .setOptions(optionsOf(resource))
          .setProvider(providerOf(resource, resources));
        const response = await this.#call<analyzerpb.AnalyzeResponse>((done) => this.#client.analyze(request, done));
        return violationsOf(response, () => resource.urn);
      }),
    );
    const request = new analyzerpb.AnalyzeStackRequest().setResourcesList(
      all.map((resource) => stackResource(resource, resources)),
    );
    const response = await this.#call<analyzerpb.AnalyzeResponse>((done) => this.#client.analyzeStack(request, done));
    // A stack rule may name the resource that it is about; otherwise it is about the stack.
    const ofStack = violationsOf(response, (urn) => (resources.has(urn) ? urn : rootUrn));
    return [...perResource.flat(), ...ofStack];
  }

  #callFailed(error: grpc.ServiceError): PlanError {
    if (error.code === grpc.status.UNAVAILABLE)
      return packFailed(this.#folder, "it ended while it was asked", { cause: error });
    const { message, location } = readReport(error.details, { root: path.dirname(this.#folder), folder: this.#folder });
    return packFailed(this.#folder, message.replaceAll("\n", " "), { location, cause: error });
  }

  #call<Response>(
    start: (done: (error: grpc.ServiceError | null, response: Response) => void) => void,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      start((error, response) => {
        if (!error) resolve(response);
        else if (isUnimplemented(error)) reject(error);
        else reject(this.#callFailed(error));
      });
    });
  }
}

const isUnimplemented = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === grpc.status.UNIMPLEMENTED;

const packFailed = (folder: string, why: string, details: { location?: Location | undefined; cause?: unknown }) =>
  new PlanError("pack-failed", `the policy pack in ${path.basename(folder)}/ does not work: ${why}`, details);

function packEntry(folder: string): string {
  try {
    return createRequire(path.join(folder, "package.json")).resolve("@pulumi/pulumi/cmd/run-policy-pack");
  } catch (cause) {
    throw packFailed(folder, "@pulumi/pulumi is not installed there", { cause });
  }
}

/** A pack reports what it could not remediate as mandatory, as the real engine does. */
const levelOf = (level: analyzerpb.EnforcementLevel): Violation["level"] =>
  level === analyzerpb.EnforcementLevel.ADVISORY ? "advisory" : "mandatory";

const ruleOf = (policy: analyzerpb.PolicyInfo, level: analyzerpb.EnforcementLevel): Rule => ({
  name: policy.getName(),
  description: policy.getDescription(),
  level: levelOf(level),
  severity: severities[policy.getSeverity()] ?? null,
  remediation: policy.getRemediationSteps() || null,
  url: policy.getUrl() || null,
});

function violationsOf(response: analyzerpb.AnalyzeResponse, about: (urn: string) => string): Violation[] {
  return response.getDiagnosticsList().map((diagnostic) => ({
    policy: diagnostic.getPolicyname(),
    pack: diagnostic.getPolicypackname(),
    level: levelOf(diagnostic.getEnforcementlevel()),
    severity: severities[diagnostic.getSeverity()] ?? null,
    message: diagnostic.getMessage() || diagnostic.getDescription(),
    urn: about(diagnostic.getUrn()),
  }));
}

/** Properties as rules see them; those that begin with `__` are the engine's own. */
function propertiesOf(properties: Properties) {
  const visible = Object.entries(properties).filter(([key]) => !key.startsWith("__"));
  return encode(Object.fromEntries(visible.map(([key, value]) => [key, withoutReferences(value)])));
}

/** The engine gives no parent to the providers that it makes by itself; a plan shows them below the stack. */
const parentOf = (resource: Registration): string => (isDefaultProvider(resource) ? "" : resource.parent);

/** Without aliases: the engine tells only the one under which it found a resource in the state, and there is none. */
function optionsOf(resource: Registration): analyzerpb.AnalyzerResourceOptions {
  return new analyzerpb.AnalyzerResourceOptions()
    .setParent(parentOf(resource))
    .setProtect(resource.protect ?? false)
    .setIgnorechangesList(resource.ignoreChanges)
    .setAdditionalsecretoutputsList(resource.additionalSecretOutputs)
    .setDeletebeforereplace(resource.deleteBeforeReplace ?? false)
    .setDeletebeforereplacedefined(resource.deleteBeforeReplace !== undefined)
    .setCustomtimeouts(new analyzerpb.AnalyzerResourceOptions.CustomTimeouts());
}

function providerOf(
  { provider }: Registration,
  resources: ReadonlyMap<string, Registration>,
): analyzerpb.AnalyzerProviderResource | undefined {
  const found = resources.get(referenceUrn(provider));
  if (!found) return undefined;
  return new analyzerpb.AnalyzerProviderResource()
    .setType(found.type)
    .setUrn(found.urn)
    .setName(found.name)
    .setProperties(propertiesOf(found.inputs));
}

function stackResource(
  resource: Registration,
  resources: ReadonlyMap<string, Registration>,
): analyzerpb.AnalyzerResource {
  const message = new analyzerpb.AnalyzerResource()
    .setType(resource.type)
    .setUrn(resource.urn)
    .setName(resource.name)
    .setProperties(propertiesOf(outputsOf(resource)))
    .setOptions(optionsOf(resource))
    .setProvider(providerOf(resource, resources))
    .setParent(parentOf(resource))
    .setDependenciesList(resource.dependencies);
  for (const [key, urns] of Object.entries(resource.propertyDependencies))
    message.getPropertydependenciesMap().set(key, new analyzerpb.AnalyzerPropertyDependencies().setUrnsList(urns));
  return message;
}

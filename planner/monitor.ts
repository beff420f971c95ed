import type callbackpb from "@pulumi/pulumi/proto/callback_pb.js";
import providerpb from "@pulumi/pulumi/proto/provider_pb.js";
import type resrpc from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import respb from "@pulumi/pulumi/proto/resource_pb.js";
import emptypb from "google-protobuf/google/protobuf/empty_pb.js";
import type structpb from "google-protobuf/google/protobuf/struct_pb.js";
import type { Answer } from "./answers.ts";
import { PlanError } from "./error.ts";
import { locate } from "./location.ts";
import type { Project } from "./project.ts";
import type { Secrets } from "./redact.ts";
import {
  aliasUrnsOf,
  collapseInputs,
  defaultProvider,
  fromReadRequest,
  fromRegisterRequest,
  inherit,
  inheritProvider,
  moveDependencies,
  outputsOf,
  type Registration,
} from "./registration.ts";
import { unary } from "./server.ts";
import { stackReferenceType } from "./stack-reference.ts";
import { Callbacks } from "./transform.ts";
import { createUrn, packageOf, providedPackage } from "./urn.ts";
import { decode, encode, mask, type Properties, secret, unknown } from "./value.ts";

const feature = respb.ResourceMonitorFeature;
const features = {
  secrets: feature.RESOURCE_MONITOR_FEATURE_SECRETS,
  resourceReferences: feature.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
  outputValues: feature.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
  aliasSpecs: feature.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
  replacementTrigger: feature.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
  deletedWith: feature.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
  replaceWith: feature.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
  transforms: feature.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
  invokeTransforms: feature.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
  parameterization: feature.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
  resourceHooks: feature.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
  errorHooks: feature.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
};

/** What a monitor asks of the plan that it is part of. */
interface Asked {
  /** Takes note of a failed step. */
  fail(error: PlanError): void;
  /** What is read of a stack that the program refers to. */
  refer(reference: Registration): Promise<Properties>;
}

/** The answers that the engine itself gives to a program, and what it remembers: every resource asked for. */
export class Monitor {
  /** By URN, in the order of registration. */
  readonly resources = new Map<string, Registration>();
  /** The URN of the stack itself, the root of all resources. */
  rootUrn = "";
  /** The program ran to its end: it said so itself. */
  finished = false;
  readonly #project: Project;
  readonly #secrets: Secrets;
  readonly #answers: Readonly<Record<string, Answer>>;
  readonly #fail: (error: PlanError) => void;
  readonly #refer: (reference: Registration) => Promise<Properties>;
  readonly #callbacks = new Callbacks();
  readonly #stackTransforms: callbackpb.Callback[] = [];
  readonly #invokeTransforms: callbackpb.Callback[] = [];
  readonly #defaultProviders = new Map<string, string>();
  readonly #packages = new Map<string, { name: string; version: string }>();

  constructor(project: Project, secrets: Secrets, answers: Readonly<Record<string, Answer>>, { fail, refer }: Asked) {
    this.#project = project;
    this.#secrets = secrets;
    this.#answers = answers;
    this.#fail = fail;
    this.#refer = refer;
  }

  close(): void {
    this.#callbacks.close();
  }

  /** The service's methods, for a gRPC server. */
  service(): resrpc.IResourceMonitorServer {
    return {
      getDeploymentInfo: unary(() => this.#deploymentInfo()),
      supportsFeature: unary((request: respb.SupportsFeatureRequest) =>
        new respb.SupportsFeatureResponse().setHassupport(request.getId() in features),
      ),
      registerResource: unary((request: respb.RegisterResourceRequest) => this.#failing(() => this.#register(request))),
      readResource: unary((request: respb.ReadResourceRequest) => this.#failing(() => this.#read(request))),
      invoke: unary((request: respb.ResourceInvokeRequest) => this.#failing(() => this.#invoke(request))),
      registerResourceOutputs: unary((request: respb.RegisterResourceOutputsRequest) => {
        const resource = this.resources.get(request.getUrn());
        if (!resource) throw new Error(`outputs of an unregistered resource: ${request.getUrn()}`);
        resource.outputs = this.#decode(request.getOutputs());
        return empty();
      }),
      existsResource: unary(() => new respb.ExistsResourceResponse().setUnknown(true)),
      // The response has no flag for "unknown"; an unknown anywhere in it makes the whole output unknown.
      call: unary((request: respb.ResourceCallRequest) => {
        this.#decode(request.getArgs());
        return new providerpb.CallResponse().setReturn(encode({ unknown }));
      }),
      registerPackage: unary((request: respb.RegisterPackageRequest) => this.#registerPackage(request)),
      registerStackTransform: unary((callback: callbackpb.Callback) => {
        this.#stackTransforms.push(callback);
        return empty();
      }),
      registerStackInvokeTransform: unary((callback: callbackpb.Callback) => {
        this.#invokeTransforms.push(callback);
        return empty();
      }),
      // Hooks are for deployments; a plan runs none.
      registerResourceHook: unary(empty),
      registerErrorHook: unary(empty),
      signalAndWaitForShutdown: unary(() => {
        this.finished = true;
        return empty();
      }),
    };
  }

  /** A failed step fails the plan, whatever the program makes of the answer. */
  async #failing<Response>(step: () => Promise<Response>): Promise<Response> {
    try {
      return await step();
    } catch (error) {
      const failure =
        error instanceof PlanError
          ? error
          : new PlanError("program-failed", error instanceof Error ? error.message : String(error), { cause: error });
      this.#fail(failure);
      throw failure;
    }
  }

  #deploymentInfo(): respb.DeploymentInfo {
    const { name, stack, organization, config, secretKeys } = this.#project;
    const info = new respb.DeploymentInfo()
      .setProject(name)
      .setStack(stack)
      .setOrganization(organization)
      .setDryrun(true)
      .setParallel(parallel)
      .setConfigsecretkeysList(secretKeys)
      .setSupportedfeaturesList([...Object.values(features), feature.RESOURCE_MONITOR_FEATURE_INVOKE_DEPENDS_ON]);
    for (const [key, value] of config) info.getConfigMap().set(key, value);
    return info;
  }

  async #register(request: respb.RegisterResourceRequest): Promise<respb.RegisterResourceResponse> {
    const registration = fromRegisterRequest(request, this.#project.root);
    this.#secrets.note(registration.inputs);
    const parents = this.#parentsOf(registration);
    inherit(registration, parents);
    const transforms = [
      ...registration.transforms,
      ...parents.flatMap((parent) => parent.transforms),
      ...this.#stackTransforms,
    ];
    if (registration.transforms.length > 0) moveDependencies(registration);
    for (const transform of transforms) await this.#callbacks.transform(transform, registration);
    this.#secrets.note(registration.inputs);
    const provides = providedPackage(registration.type) !== undefined;
    if ((registration.custom && !provides) || registration.remote)
      registration.provider ||= this.#defaultProviderFor(registration);
    if (provides && registration.version) registration.inputs["version"] = registration.version;
    collapseInputs(registration);
    this.#add(registration);

    const response = new respb.RegisterResourceResponse().setUrn(registration.urn).setId(registration.id);
    // A local component gives its outputs at its end; an echo of its inputs would come before (pulumi/pulumi#5978).
    return registration.custom ? response.setObject(encode(outputsOf(registration))) : response;
  }

  async #read(request: respb.ReadResourceRequest): Promise<respb.ReadResourceResponse> {
    const registration = fromReadRequest(request, this.#project.root);
    this.#secrets.note(registration.inputs);
    inheritProvider(registration, this.#parentsOf(registration));
    registration.provider ||= this.#defaultProviderFor(registration);
    collapseInputs(registration);
    this.#add(registration);
    const properties =
      registration.type === stackReferenceType ? await this.#refer(registration) : outputsOf(registration);
    return new respb.ReadResourceResponse().setUrn(registration.urn).setProperties(encode(properties));
  }

  async #invoke(request: respb.ResourceInvokeRequest): Promise<respb.ResourceInvokeResponse> {
    const token = request.getTok();
    let question = {
      args: this.#decode(request.getArgs()),
      provider: request.getProvider(),
      version: request.getVersion(),
    };
    const response = new respb.ResourceInvokeResponse();
    if (token === "pulumi:pulumi:getResource") {
      // The SDK asks for what a resource reference refers to. The engine itself answers, as a provider of its own.
      this.#defaultProviderFor({ type: token, version: "", packageRef: "" });
      const resource = this.resources.get(String(question.args["urn"]));
      if (!resource)
        throw new Error(`the program refers to ${String(question.args["urn"])}, which it has not registered`);
      return response.setReturn(encode({ urn: resource.urn, id: resource.id, state: outputsOf(resource) }));
    }
    for (const transform of this.#invokeTransforms)
      question = await this.#callbacks.transformInvoke(transform, token, question);
    const { args, provider, version } = question;
    this.#secrets.note(args);
    // Even where the answer is not known yet, the engine makes ready whom it would ask.
    if (provider === "") this.#defaultProviderFor({ type: token, version, packageRef: request.getPackageref() });
    // What depends on a resource that does not exist yet is known only after it is created.
    if (request.getDependsonList().some((urn) => isPending(this.resources.get(urn)))) return response.setUnknown(true);
    const answer = Object.hasOwn(this.#answers, token) ? this.#answers[token] : undefined;
    if (!answer)
      throw new PlanError(
        "invoke-unanswered",
        `the data source ${token}(${JSON.stringify(mask(args, (text) => text))}) has no offline answer; declare one in planner/answers.ts`,
        { location: locate(request.getStacktrace(), this.#project.root) },
      );
    return response.setReturn(encode(answer(args, this.#project)));
  }

  #registerPackage(request: respb.RegisterPackageRequest): respb.RegisterPackageResponse {
    const parameterization = request.getParameterization() ?? request.getExtension$();
    const reference = `package-${this.#packages.size + 1}`;
    this.#packages.set(reference, {
      name: parameterization?.getName() ?? request.getName(),
      version: parameterization?.getVersion() ?? request.getVersion(),
    });
    return new respb.RegisterPackageResponse().setRef(reference);
  }

  #decode(struct: structpb.Struct | undefined): Properties {
    const properties = decode(struct);
    this.#secrets.note(properties);
    return properties;
  }

  #add(registration: Registration): void {
    const { name, stack } = this.#project;
    registration.urn = createUrn(stack, name, registration.parent, registration.type, registration.name);
    const { urn, location } = registration;
    if (this.resources.has(urn))
      throw new PlanError(
        "duplicate-urn",
        `two resources have the URN ${urn}; give one of them another name or parent`,
        { location, urn },
      );
    const parentAliases = this.resources.get(registration.parent)?.aliasUrns ?? [];
    registration.aliasUrns = aliasUrnsOf(registration, parentAliases, { stack, project: name });
    this.resources.set(urn, registration);
    if (registration.type === "pulumi:pulumi:Stack") this.rootUrn = urn;
  }

  /** The parent, its parent and so on, nearest first. */
  #parentsOf({ parent, type, name, location }: Registration): Registration[] {
    const parents: Registration[] = [];
    for (let urn = parent; urn !== "";) {
      const found = this.resources.get(urn);
      if (!found)
        throw new PlanError(
          "missing-parent",
          `the parent of ${type} ${name}, ${urn}, is no resource of this stack; register the parent first`,
          { location, urn },
        );
      parents.push(found);
      urn = found.parent;
    }
    return parents;
  }

  /** The reference of a package's default provider, which is a resource, too; its inputs are the package's config. */
  #defaultProviderFor({ type, version, packageRef }: Pick<Registration, "type" | "version" | "packageRef">): string {
    const named = this.#packages.get(packageRef) ?? { name: packageOf(type), version };
    const key = `${named.name}@${named.version}`;
    const known = this.#defaultProviders.get(key);
    if (known) return known;
    const { config, secretKeys } = this.#project;
    const inputs: Properties = {};
    for (const [full, value] of config)
      if (full.startsWith(`${named.name}:`))
        inputs[full.slice(named.name.length + 1)] = secretKeys.includes(full) ? secret(value) : value;
    const provider = defaultProvider(named.name, named.version, this.rootUrn, inputs);
    this.#add(provider);
    const reference = `${provider.urn}::${unknown}`;
    this.#defaultProviders.set(key, reference);
    return reference;
  }
}

const empty = () => new emptypb.Empty();

/** What the real engine is told by the language host when nothing else is asked for (`pulumi preview --parallel`). */
export const parallel = 16;

/** A resource that a deployment would only now create has no id yet. */
const isPending = (resource: Registration | undefined): boolean => resource?.custom === true && resource.id === "";

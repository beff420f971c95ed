import * as grpc from "@grpc/grpc-js";
import callbackrpc from "@pulumi/pulumi/proto/callback_grpc_pb.js";
import callbackpb from "@pulumi/pulumi/proto/callback_pb.js";
import respb from "@pulumi/pulumi/proto/resource_pb.js";
import { aliasFrom, aliasTo, type Registration } from "./registration.ts";
import { channelOptions } from "./server.ts";
import { decode, encode, type Properties } from "./value.ts";

/** What a program asks of a data source. */
export interface Question {
  args: Properties;
  /** `<urn>::<id>` of the provider; empty for the package's default one, which has this version. */
  provider: string;
  version: string;
}

/** Functions of the program that the engine calls back. The program serves them on a port of its own. */
export class Callbacks {
  #clients = new Map<string, callbackrpc.CallbacksClient>();

  /** Lets a transform change a registration's inputs and options. */
  async transform(callback: callbackpb.Callback, registration: Registration): Promise<void> {
    const options = new respb.TransformResourceOptions()
      .setDependsOnList(registration.dependencies)
      .setIgnoreChangesList(registration.ignoreChanges)
      .setReplaceOnChangesList(registration.replaceOnChanges)
      .setVersion(registration.version)
      .setProvider(registration.provider)
      .setAliasesList(registration.aliases.map(aliasTo))
      .setDeletedWith(registration.deletedWith)
      .setAdditionalSecretOutputsList(registration.additionalSecretOutputs);
    if (registration.protect !== undefined) options.setProtect(registration.protect);
    if (registration.retainOnDelete !== undefined) options.setRetainOnDelete(registration.retainOnDelete);
    if (registration.deleteBeforeReplace !== undefined)
      options.setDeleteBeforeReplace(registration.deleteBeforeReplace);
    for (const [pkg, reference] of Object.entries(registration.providers))
      options.getProvidersMap().set(pkg, reference);

    const request = new respb.TransformRequest()
      .setType(registration.type)
      .setName(registration.name)
      .setCustom(registration.custom)
      .setParent(registration.parent)
      .setProperties(encode(registration.inputs))
      .setOptions(options);
    const response = respb.TransformResponse.deserializeBinary(await this.#call(callback, request.serializeBinary()));

    if (response.hasProperties()) registration.inputs = decode(response.getProperties());
    const changed = response.getOptions();
    if (!changed) return;
    registration.dependencies = changed.getDependsOnList();
    registration.ignoreChanges = changed.getIgnoreChangesList();
    registration.replaceOnChanges = changed.getReplaceOnChangesList();
    registration.version = changed.getVersion();
    registration.provider = changed.getProvider();
    registration.aliases = changed.getAliasesList().map(aliasFrom);
    registration.deletedWith = changed.getDeletedWith();
    registration.additionalSecretOutputs = changed.getAdditionalSecretOutputsList();
    registration.protect = changed.hasProtect() ? changed.getProtect() : undefined;
    registration.retainOnDelete = changed.hasRetainOnDelete() ? changed.getRetainOnDelete() : undefined;
    registration.deleteBeforeReplace = changed.hasDeleteBeforeReplace() ? changed.getDeleteBeforeReplace() : undefined;
    registration.providers = Object.fromEntries(changed.getProvidersMap().toArray());
  }

  /** Lets a transform change what a data source is asked, and of whom. */
  async transformInvoke(callback: callbackpb.Callback, token: string, question: Question): Promise<Question> {
    const request = new respb.TransformInvokeRequest()
      .setToken(token)
      .setArgs(encode(question.args))
      .setOptions(new respb.TransformInvokeOptions().setProvider(question.provider).setVersion(question.version));
    const bytes = await this.#call(callback, request.serializeBinary());
    const response = respb.TransformInvokeResponse.deserializeBinary(bytes);
    const options = response.getOptions();
    return {
      args: response.hasArgs() ? decode(response.getArgs()) : question.args,
      provider: options ? options.getProvider() : question.provider,
      version: options ? options.getVersion() : question.version,
    };
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #call(callback: callbackpb.Callback, bytes: Uint8Array): Promise<Uint8Array> {
    const target = callback.getTarget();
    let client = this.#clients.get(target);
    if (!client) {
      client = new callbackrpc.CallbacksClient(target, grpc.credentials.createInsecure(), channelOptions);
      this.#clients.set(target, client);
    }
    const request = new callbackpb.CallbackInvokeRequest().setToken(callback.getToken()).setRequest(bytes);
    return new Promise((resolve, reject) => {
      client.invoke(request, (error, response) => {
        if (error) reject(new Error(error.details, { cause: error }));
        else resolve(response.getResponse_asU8());
      });
    });
  }
}

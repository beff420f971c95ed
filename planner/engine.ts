import type enginerpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import enginepb from "@pulumi/pulumi/proto/engine_pb.js";
import emptypb from "google-protobuf/google/protobuf/empty_pb.js";
import type { Monitor } from "./monitor.ts";
import { unary } from "./server.ts";

/** The engine's own service: a program logs to it and asks it for the root of its resources. */
export const engineService = (
  monitor: Monitor,
  onLog: (request: enginepb.LogRequest) => void,
): enginerpc.IEngineServer => ({
  log: unary((request: enginepb.LogRequest) => {
    onLog(request);
    return empty();
  }),
  getRootResource: unary(() => new enginepb.GetRootResourceResponse().setUrn(monitor.rootUrn)),
  setRootResource: unary((request: enginepb.SetRootResourceRequest) => {
    monitor.rootUrn = request.getUrn();
    return new enginepb.SetRootResourceResponse();
  }),
  startDebugging: unary(empty),
  requirePulumiVersion: unary(() => new enginepb.RequirePulumiVersionResponse()),
});

const empty = () => new emptypb.Empty();

import * as grpc from "@grpc/grpc-js";

// What Pulumi's own engine and hosts allow (sdk/go/common/util/rpcutil of pulumi/pulumi): 400 MiB a message.
const maxMessageBytes = 400 * 2 ** 20;
export const channelOptions = {
  "grpc.max_receive_message_length": maxMessageBytes,
  "grpc.max_send_message_length": maxMessageBytes,
};

/** A unary method: `answer` gives the response, and what it throws becomes the caller's error. */
export const unary =
  <Request, Response>(
    answer: (request: Request) => Response | Promise<Response>,
  ): grpc.handleUnaryCall<Request, Response> =>
  async (call, callback) => {
    try {
      callback(null, await answer(call.request));
    } catch (error) {
      callback({ code: grpc.status.UNKNOWN, details: error instanceof Error ? error.message : String(error) });
    }
  };

/** Serves on a free port of the loopback interface and gives its address. */
export async function listen(server: grpc.Server): Promise<string> {
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  return `127.0.0.1:${port}`;
}

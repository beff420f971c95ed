import { Socket } from "node:net";

// Runs in every child of the planner, before it. Its file descriptor 4 is a pipe from us in which nothing is written: it
// closes when we end, however that is. Pulumi's own scripts would wait on, or write of the lost connection for ever.
const variable = "CAIS_PARENT_PIPE";
const pipe = Number(process.env[variable]);
// Not for what the child forks: it gets our arguments, but not our pipe.
delete process.env[variable];
if (pipe > 0) {
  const fromParent = new Socket({ fd: pipe, readable: true, writable: false });
  fromParent.on("close", () => process.kill(process.pid, "SIGKILL")).resume();
  fromParent.unref();
}

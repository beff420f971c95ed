import { Socket } from "node:net";

// Runs in every child of the planner, before it. Its file descriptor 4 is a pipe from us in which nothing is written: it
// closes when we end, however that is. Pulumi's own scripts would wait on, or write of the lost connection for ever.
const fromParent = new Socket({ fd: 4, readable: true, writable: false });
fromParent.on("close", () => process.kill(process.pid, "SIGKILL")).resume();
fromParent.unref();

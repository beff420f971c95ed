import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { openSync, closeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** How the machine calls this computer's loopback. */
export const outside = "169.254.0.2";

export interface Hardware {
  /** With `vmlinuz` and `initrd`; sockets and the console's log go there, too. */
  folder: string;
  /** Tells its files from another machine's. */
  name: string;
  disk: string;
  /** The volume, and its id as the cloud has it. */
  volume: string;
  volumeId: string;
  /** On this computer's loopback, where a server answers as the cloud's metadata service. */
  metadataPort: number;
}

/**
 * A machine of an emulated processor, as Nova starts one: its network leads to the metadata service, its volume has the serial
 * number that virtio shows. It has neither a way to this computer's network nor rights on it.
 */
export class Machine {
  readonly #hardware: Hardware;
  #qemu: ChildProcess | undefined;
  #door: Socket | undefined;
  #said = "";

  constructor(hardware: Hardware) {
    this.#hardware = hardware;
  }

  async start(): Promise<void> {
    const { folder, name, disk, volume, volumeId, metadataPort } = this.#hardware;
    const at = (file: string) => join(folder, `${name}.${file}`);
    // One network for all, since QEMU passes on only what is in it: https://www.qemu.org/docs/master/system/invocation.html
    const network = `user,id=net,net=169.254.0.0/16,host=${outside},dns=169.254.0.3,dhcpstart=169.254.0.15`;
    const metadata = `guestfwd=tcp:169.254.169.254:80-cmd:busybox nc 127.0.0.1 ${metadataPort}`;
    const log = openSync(at("qemu.log"), "a");
    const qemu = spawn(
      "qemu-system-x86_64",
      [
        ["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1536"],
        ["-display", "none", "-no-reboot", "-nodefaults", "-device", "virtio-rng-pci"],
        ["-kernel", join(folder, "vmlinuz"), "-initrd", join(folder, "initrd")],
        ["-append", "root=LABEL=root ro console=ttyS0 net.ifnames=0"],
        // By this cloud-init knows where it is: cloudinit/sources/DataSourceOpenStack.py.
        ["-smbios", "type=1,product=OpenStack Nova"],
        ["-drive", `file=${disk},if=virtio,format=raw,cache=unsafe`],
        ["-drive", `file=${volume},if=none,id=volume,format=raw`],
        ["-device", `virtio-blk-pci,drive=volume,serial=${volumeId.slice(0, 20)}`],
        ["-netdev", `${network},${metadata}`, "-device", "virtio-net-pci,netdev=net"],
        ["-serial", `file:${at("console.log")}`],
        ["-serial", `unix:${at("door")},server=on,wait=off`],
      ].flat(),
      { stdio: ["ignore", log, log] },
    );
    closeSync(log);
    this.#qemu = qemu;
    await once(qemu, "spawn");
    this.#said = "";
    this.#door = await this.#reach(at("door"));
    this.#door.setEncoding("utf8").on("data", (text: string) => (this.#said += text));
    // What is written before somebody reads is lost: ask until there is an answer.
    while (!/^ready \d+$/m.test(this.#said)) {
      this.#alive();
      this.#door.write(`ready ${encoded("true")}\n`);
      await wait(1000);
    }
  }

  /** What a command says, as root; throws when it fails. */
  async run(command: string): Promise<string> {
    const { code, told } = await this.try(command);
    if (code !== 0) throw new Error(`${command} ended with ${code} on the machine: ${told}`);
    return told;
  }

  async try(command: string): Promise<{ code: number; told: string }> {
    const word = `end-${randomUUID()}`;
    const from = this.#said.length;
    this.#door?.write(`${word} ${encoded(command)}\n`);
    for (;;) {
      const [whole, told = "", code] = new RegExp(`^([^]*?)${word} (\\d+)\\n`).exec(this.#said.slice(from)) ?? [];
      if (whole !== undefined) return { code: Number(code), told: told.replaceAll(/^ready 0\n/gm, "") };
      this.#alive();
      await wait(100);
    }
  }

  /** Waits until a command says what `isDone`; the last answer is told when the test's time is up. */
  async until(command: string, isDone: (told: string) => boolean): Promise<string> {
    for (;;) {
      const { told } = await this.try(command);
      if (isDone(told)) return told;
      await wait(2000);
    }
  }

  /** Lets it shut down in order, as Nova does before it deletes a server. */
  async powerOff(): Promise<void> {
    const { name, folder } = this.#hardware;
    this.#door?.write(`end ${encoded("systemctl poweroff")}\n`);
    const ended = this.#qemu?.exitCode === null ? once(this.#qemu, "exit") : undefined;
    await ended;
    this.#door?.destroy();
    const console = await readFile(join(folder, `${name}.console.log`), "utf8");
    if (!console.includes("Power down"))
      throw new Error(`The machine did not shut down in order: ${console.slice(-500)}`);
  }

  /** Ends it as it is. */
  kill(): void {
    this.#door?.destroy();
    this.#qemu?.kill("SIGKILL");
  }

  #alive(): void {
    const { folder, name } = this.#hardware;
    if (this.#qemu?.exitCode !== null || this.#qemu.signalCode !== null)
      throw new Error(`The machine has ended; see ${join(folder, name)}.console.log and .qemu.log`);
  }

  async #reach(path: string): Promise<Socket> {
    for (;;) {
      this.#alive();
      const socket = connect(path);
      try {
        await once(socket, "connect");
        return socket;
      } catch {
        // QEMU has not made it yet.
        await wait(100);
      }
    }
  }
}

const encoded = (command: string) => Buffer.from(command).toString("base64");

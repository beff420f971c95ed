import { readdir } from "node:fs/promises";
import { Run, Upload } from "@cais/spec/api.ts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Attacked, csv, exchange, problemIn, startAttacked, until, uploadHead } from "./attacked.ts";

let attacked: Attacked;
let before: string[];
let acknowledged = 0;
beforeAll(async () => {
  attacked = await startAttacked("forms");
  before = await written();
});
/** What is in the data folder, but for the folder of runs in progress, which comes and goes. */
const written = async () => (await readdir(attacked.folder)).filter((name) => name !== "work");
/** Whatever was sent: it lives, keeps what was acknowledged and nothing else, and writes nowhere else. */
afterEach(async () => {
  await attacked.checkAlive();
  if ((await attacked.runs()).length !== acknowledged)
    throw new Error("The ledger has more or less than was acknowledged.");
  await until(async () => (await attacked.kept()).length === acknowledged);
  const now = await written();
  if (now.join() !== before.join()) throw new Error(`The data folder has ${now.join()}, and had ${before.join()}.`);
});
afterAll(() => attacked?.stop());

const form = (boundary: string, body: string) =>
  `${uploadHead("")}Connection: close\r\nContent-Type: multipart/form-data${boundary}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const part = (disposition: string, content = csv()) =>
  `--b\r\nContent-Disposition: ${disposition}\r\n\r\n${content}\r\n`;
const file = part('form-data; name="file"; filename="a.csv"');
const of = (...parts: string[]) => form("; boundary=b", `${parts.join("")}--b--\r\n`);

describe("a form", () => {
  const nested = `Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Disposition: attachment; filename="a.csv"\r\n\r\nx\r\n--c--\r\n`;
  it.each([
    ["without a boundary", form("", `${file}--b--\r\n`)],
    ["of an empty boundary", form("; boundary=", `${file}--b--\r\n`)],
    ["of another boundary", form("; boundary=c", `${file}--b--\r\n`)],
    ["of a boundary of 1,000 characters that never comes", form(`; boundary=${"b".repeat(1000)}`, `${file}--b--\r\n`)],
    ["without its end", form("; boundary=b", file)],
    ["that ends in a part's head", form("; boundary=b", "--b\r\nContent-Disposition: form-da")],
    ["that is empty", form("; boundary=b", "")],
    ["of its end alone", of()],
    ["whose part has no head", of(`--b\r\n\r\n${csv()}\r\n`)],
    ["whose part has no name", of(part('form-data; filename="a.csv"'))],
    ["whose part has no file name", of(part('form-data; name="file"'))],
    ["whose part has another name", of(part('form-data; name="__proto__"; filename="a.csv"'))],
    ["whose part is no form-data", of(part('attachment; name="file"; filename="a.csv"'))],
    ["in a form", of(`--b\r\nContent-Disposition: form-data; name="file"\r\n${nested}`)],
    ["of two files", of(file, part('form-data; name="file"; filename="b.csv"'))],
    ["of 10,000 parts", of(...Array.from({ length: 10_000 }, (_, i) => part(`form-data; name="f${i}"`, "x")), file)],
    ["of 5,000 files", of(...Array.from({ length: 5000 }, () => file))],
    ["whose part's head has 10,000 lines", of(`--b\r\n${"X: y\r\n".repeat(10_000)}\r\n${csv()}\r\n`)],
  ])("%s is refused", async (_, bytes) => {
    const problem = problemIn(await exchange(attacked, bytes));
    expect(problem.status).toBe(400);
    expect(problem.detail.length).toBeLessThan(300);
  });

  it("larger than the stack takes is refused, whether it says so or not", async () => {
    const large = part('form-data; name="file"; filename="a.csv"', "x".repeat(1_100_000));
    expect(problemIn(await exchange(attacked, of(large))).status).toBe(413);
    const body = `${large}--b--\r\n`;
    const chunked = `${uploadHead("")}Content-Type: multipart/form-data; boundary=b\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    expect(problemIn(await exchange(attacked, chunked)).status).toBe(413);
  });

  const much = "x".repeat(1_100_000);
  it.each([
    ["a field before its file", `${part('form-data; name="f"', much)}${file}--b--\r\n`],
    ["a field after its file", `${file}${part('form-data; name="f"', much)}--b--\r\n`],
    ["text before it", `${much}\r\n${file}--b--\r\n`],
    ["text after it", `${file}--b--\r\n${much}`],
  ])("of a length that it does not tell, with %s that does not end, is refused", async (_, body) => {
    const chunked = `${uploadHead("")}Content-Type: multipart/form-data; boundary=b\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    expect(problemIn(await exchange(attacked, chunked))).toMatchObject({
      status: 413,
      detail: "The form has too much beside its file; send the file alone.",
    });
  });

  it.each([
    [
      "of a boundary of 70 characters",
      form(
        `; boundary=${"b".repeat(70)}`,
        `--${"b".repeat(70)}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n${csv()}\r\n--${"b".repeat(70)}--\r\n`,
      ),
    ],
    ["of a quoted boundary", form('; boundary="b"', `${part('form-data; name="file"; filename="a.csv"')}--b--\r\n`)],
    [
      "with more before and after it",
      form("; boundary=b", `before\r\n${part('form-data; name="file"; filename="a.csv"')}--b--\r\nafter`),
    ],
    [
      "whose file has its boundary in it",
      of(part('form-data; name="file"; filename="a.csv"', `${csv()}--b2\r\n--\r\n-b\r\n`)),
    ],
    ["with a field of 1 MB", of(part('form-data; name="comment"', "x".repeat(1e6)), file)],
    ["whose part's head has 1 MB", of(part(`form-data; name="file"; filename="a.csv"; x="${"x".repeat(9e5)}"`, "x"))],
  ])("%s is taken whole", async (_, bytes) => {
    const [answer, ...others] = await exchange(attacked, bytes);
    expect({ status: answer?.status, others }).toEqual({ status: 202, others: [] });
    acknowledged++;
  });
});

const send = (name: string) => exchange(attacked, of(part(`form-data; name="file"; filename="${name}"`)));

describe("a file called", () => {
  it.each([
    ["NUL in it", "a\u0000.csv"],
    ["a line break in it", "a\u000B.csv"],
    ["text that is shown the other way round", "vsc.\u202Eexe.csv"],
    ["an escape sequence", "\u001B[2Ja.csv"],
    ["1,000 characters", `${"x".repeat(996)}.csv`],
    ["nothing", ""],
    ["a dot", "."],
    ["two dots", ".."],
    ["a folder", "a.csv/"],
  ])("with %s is refused", async (_, name) => {
    expect([400, 415]).toContain(problemIn(await send(name)).status);
  });

  it.each([
    ["a way up", "../../../../etc/passwd.csv", "passwd.csv"],
    ["a way up with backslashes", "..\\\\..\\\\windows\\\\system.csv", "system.csv"],
    ["an absolute path", "/etc/cron.d/x.csv", "x.csv"],
    ["a drive", "C:\\\\x.csv", "x.csv"],
    ["slashes that are none", "..\u2215..\u2215etc\uFF0Fpasswd.csv", "..\u2215..\u2215etc\uFF0Fpasswd.csv"],
    ["a way up, encoded", "%2e%2e%2fetc%2fpasswd.csv", "%2e%2e%2fetc%2fpasswd.csv"],
    ["letters of another alphabet", "\u0440\u0430yp\u0430l.csv", "\u0440\u0430yp\u0430l.csv"],
    ["a formula", "=cmd|' -C calc'!A0.csv", "=cmd|' -C calc'!A0.csv"],
    ["a shell command", "$(touch x);`touch y`.csv", "$(touch x);`touch y`.csv"],
    ["SQL", "x'); DROP TABLE runs; --.csv", "x'); DROP TABLE runs; --.csv"],
    ["a tag", "<img src=x onerror=alert(1)>.csv", "<img src=x onerror=alert(1)>.csv"],
  ])("%s is kept under a key of the processor's own", async (_, name, kept) => {
    const [answer] = await send(name);
    const problem = answer?.status === 202 ? undefined : problemIn([answer].filter((one) => one !== undefined));
    expect(problem).toBeUndefined();
    acknowledged++;
    const { id } = Upload.parse(JSON.parse(answer?.body ?? ""));
    const { file } = Run.parse(await (await fetch(`${attacked.url}/v1/runs/${id}`)).json());
    expect(file.key).toMatch(/^\d{4}-\d\d-\d\d\/[\w-]+\.csv$/);
    expect(file.name).toBe(kept);
  });
});

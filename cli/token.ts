import { Action, CreatedToken, Token, TOKEN_DAYS, Tokens } from "@cais/spec/access.ts";
import { Command, InvalidArgumentError, Option } from "commander";
import { connect, requestJson } from "./client.ts";

interface Options {
  url?: string;
  json?: true;
}

interface CreateOptions extends Options {
  name: string;
  stack?: string[];
  action?: Action[];
  expires?: End;
}

/** When a token ends. A value of its own, because commander takes a parsed null for no value. */
interface End {
  /** null: never. */
  expiresAt: string | null;
}

const DAY_MS = 86_400_000;

/** `cais token`: who else than its administrator may use a processor, for what, and until when. */
export const tokenCommand = (): Command =>
  new Command("token")
    .description("give out, list and take back tokens of a processor")
    .addHelpText(
      "after",
      "\nThe processor must have a token of its own; that one, or one with the action admin, is needed in CAIS_TOKEN.",
    )
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());

const urlOption = () =>
  new Option("--url <url>", "the processor's address (default: CAIS_URL, or the one started here)");

const createCommand = (): Command =>
  new Command("create")
    .description("give out a token; it is shown once")
    .requiredOption("--name <name>", "who or what uses it")
    .option("--stack <name...>", "the pipeline stacks that it reaches (default: all)")
    .addOption(new Option("--action <action...>", "what it may do (default: read)").choices(Action.options))
    .option(
      "--expires <time>",
      `how long it lives: 30d, 12h or never (default: ${TOKEN_DAYS.byDefault}d; at most ${TOKEN_DAYS.atMost}d)`,
      parseLife,
    )
    .option("--json", "print the answer as JSON")
    .addOption(urlOption())
    .action(async ({ name, stack, action, expires, json, url }: CreateOptions) => {
      const asked = {
        name,
        ...(stack && { stacks: stack }),
        ...(action && { actions: action }),
        ...expires,
      };
      const created = await requestJson(await connect(url), "/v1/tokens", CreatedToken, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(asked),
      });
      if (json) return void process.stdout.write(`${JSON.stringify(created, undefined, 2)}\n`);
      process.stderr.write(`${describe(created)}\nKeep it now, it is not shown again:\n`);
      process.stdout.write(`${created.token}\n`);
    });

const listCommand = (): Command =>
  new Command("list")
    .description("list the tokens that were given out, newest first")
    .option("--json", "print the answer as JSON")
    .addOption(urlOption())
    .action(async ({ json, url }: Options) => {
      const answer = await requestJson(await connect(url), "/v1/tokens", Tokens);
      if (json) return void process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
      if (answer.tokens.length === 0)
        process.stdout.write("No tokens were given out; make one with npx cais token create --name NAME\n");
      for (const token of answer.tokens) process.stdout.write(`${describe(token)}\n`);
    });

const revokeCommand = (): Command =>
  new Command("revoke")
    .description("take a token back, at once")
    .argument("<id>", "the token's id, as list shows it")
    .option("--json", "print the answer as JSON")
    .addOption(urlOption())
    .action(async (id: string, { json, url }: Options) => {
      const path = `/v1/tokens/${encodeURIComponent(id)}`;
      const revoked = await requestJson(await connect(url), path, Token, { method: "DELETE" });
      process.stdout.write(`${json ? JSON.stringify(revoked, undefined, 2) : describe(revoked)}\n`);
    });

/** A token's line: what it is, may do and reaches, until when, and when it was used last. */
function describe({ id, name, state, actions, stacks, expiresAt, usedOn }: Token): string {
  const reach = stacks === "all" ? "all stacks" : stacks.join(", ");
  const end = state === "active" ? (expiresAt === null ? "never expires" : `until ${expiresAt.slice(0, 10)}`) : state;
  return `${id}  ${name}  ${actions.join(", ")}  ${reach}  ${end}  ${usedOn === null ? "never used" : `used ${usedOn}`}`;
}

function parseLife(text: string): End {
  if (text === "never") return { expiresAt: null };
  const [, count = "", unit] = /^([1-9]\d{0,4})([dh])$/.exec(text) ?? [];
  if (unit === undefined) throw new InvalidArgumentError("must be days or hours such as 30d or 12h, or never.");
  const life = Number(count) * (unit === "d" ? DAY_MS : DAY_MS / 24);
  return { expiresAt: new Date(Date.now() + life).toISOString() };
}

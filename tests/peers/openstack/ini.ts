/** Settings by section, as Swift's and Keystone's files have them; those that are undefined are left out. */
export type Sections = Readonly<Record<string, Readonly<Record<string, string | number | boolean | undefined>>>>;

/** The text of such a file. */
export function ini(sections: Sections): string {
  const lines = Object.entries(sections).flatMap(([name, settings]) => [
    `[${name}]`,
    ...Object.entries(settings).flatMap(([key, value]) => (value === undefined ? [] : [`${key} = ${String(value)}`])),
  ]);
  return `${lines.join("\n")}\n`;
}

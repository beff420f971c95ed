import { createWriteStream } from "node:fs";
import { once } from "node:events";

/** Rows of each kind in the file that was written. */
export interface Messy {
  rows: number;
  bytes: number;
  /** Rows that break the contract of `stack.ts`. */
  wrong: number;
}

const HEADER = "id;data;hora;estacao;temperatura;umidade;chuva;vento;observacao\n";
// Written once: making them anew for each row took most of the time.
const DAYS = Array.from({ length: 1000 }, (_, n) =>
  new Date(Date.UTC(2022, 0, 1) + n * 864e5).toISOString().slice(0, 10),
);
const HOURS = Array.from({ length: 24 }, (_, n) => `${String(n).padStart(2, "0")}00 UTC`);
const TENTHS = Array.from({ length: 601 }, (_, n) => (n / 10).toFixed(1).replace(".", ","));
const PIECE = 4 << 20;

/**
 * Writes an untidy CSV of about `bytes` bytes, always the same for a seed: `;` between cells, decimal comma, empty cells,
 * -9999 for what was not measured, cells of the wrong type, values out of range, quoted separators, quotes and line breaks,
 * and rows with a cell too many or too few. About one row in 120 breaks the contract.
 */
export async function writeMessy(file: string, bytes: number, seed = 1): Promise<Messy> {
  const random = numbersFrom(seed);
  const out = createWriteStream(file, { highWaterMark: PIECE });
  const counts: Messy = { rows: 0, bytes: 0, wrong: 0 };
  let piece = HEADER;
  let length = piece.length;
  while (counts.bytes + length < bytes) {
    const line = row(++counts.rows, random, counts);
    piece += line;
    length += line.length;
    if (length < PIECE) continue;
    counts.bytes += length;
    if (!out.write(piece, "latin1")) await once(out, "drain");
    [piece, length] = ["", 0];
  }
  counts.bytes += length;
  out.end(piece, "latin1");
  await once(out, "close");
  return counts;
}

/** The same as a text, for files small enough to be held. */
export function messyText(bytes: number, seed: number): string {
  const random = numbersFrom(seed);
  const counts: Messy = { rows: 0, bytes: 0, wrong: 0 };
  const lines = [HEADER];
  for (let length = HEADER.length; length < bytes;) {
    const line = row(++counts.rows, random, counts);
    lines.push(line);
    length += line.length;
  }
  return lines.join("");
}

function row(id: number, random: () => number, counts: Messy): string {
  const measured = (from: number, to: number) => TENTHS[Math.floor((from + random() * (to - from)) * 10)] ?? "";
  const day = DAYS[Math.floor(random() * DAYS.length)] ?? "";
  const hour = HOURS[Math.floor(random() * 24)] ?? "";
  const station = `A${300 + Math.floor(random() * 400)}`;
  let temperature = measured(5, 40);
  const humidity = String(Math.floor(random() * 101));
  let rain = measured(0, 60);
  const wind = measured(0, 20);
  let note = "";
  const kind = random();
  if (kind < 0.05) note = '"texto; com ""aspas"""';
  else if (kind < 0.055) note = '"duas\nlinhas"';
  else if (kind < 0.3) note = "normal";
  const gap = random();
  if (gap < 0.01) rain = "-9999";
  else if (gap < 0.03) rain = "";
  else if (gap < 0.031) rain = " ";
  const mistake = random();
  if (mistake >= 0.008) return `${id};${day};${hour};${station};${temperature};${humidity};${rain};${wind};${note}\n`;
  counts.wrong++;
  if (mistake < 0.001) temperature = "abc";
  else if (mistake < 0.003) temperature = "99,9";
  else if (mistake < 0.005) return `${id};${day};${hour};;${temperature};${humidity};${rain};${wind};${note}\n`;
  else if (mistake < 0.006)
    return `${id};2023-02-30;${hour};${station};${temperature};${humidity};${rain};${wind};${note}\n`;
  else if (mistake < 0.007) return `${id};${day};${hour};${station};${temperature};${humidity}\n`;
  else return `${id};${day};${hour};${station};${temperature};${humidity};${rain};${wind};${note};mais\n`;
  return `${id};${day};${hour};${station};${temperature};${humidity};${rain};${wind};${note}\n`;
}

/** Marsaglia's xorshift of 32 bits (https://doi.org/10.18637/jss.v008.i14), as numbers from 0 to 1. */
function numbersFrom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

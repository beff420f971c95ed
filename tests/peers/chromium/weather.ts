/** The header of a CSV of INMET's stations. */
const header = [
  "Data",
  "Hora UTC",
  "PRECIPITAÇÃO TOTAL, HORÁRIO (mm)",
  "PRESSAO ATMOSFERICA AO NIVEL DA ESTACAO, HORARIA (mB)",
  "PRESSÃO ATMOSFERICA MAX.NA HORA ANT. (AUT) (mB)",
  "PRESSÃO ATMOSFERICA MIN. NA HORA ANT. (AUT) (mB)",
  "RADIACAO GLOBAL (Kj/m²)",
  "TEMPERATURA DO AR - BULBO SECO, HORARIA (°C)",
  "TEMPERATURA DO PONTO DE ORVALHO (°C)",
  "TEMPERATURA MÁXIMA NA HORA ANT. (AUT) (°C)",
  "TEMPERATURA MÍNIMA NA HORA ANT. (AUT) (°C)",
  "TEMPERATURA ORVALHO MAX. NA HORA ANT. (AUT) (°C)",
  "TEMPERATURA ORVALHO MIN. NA HORA ANT. (AUT) (°C)",
  "UMIDADE REL. MAX. NA HORA ANT. (AUT) (%)",
  "UMIDADE REL. MIN. NA HORA ANT. (AUT) (%)",
  "UMIDADE RELATIVA DO AR, HORARIA (%)",
  "VENTO, DIREÇÃO HORARIA (gr) (° (gr))",
  "VENTO, RAJADA MAXIMA (m/s)",
  "VENTO, VELOCIDADE HORARIA (m/s)",
];

const quoted = (cell: string) => (cell.includes(",") ? `"${cell}"` : cell);

export interface Weather {
  /** First day, as 2024-01-01. */
  from: string;
  days: number;
  /** Rows, counted from 0, without any measurement. */
  silent?: number[];
  /** Rows, counted from 0, with a word where rain is measured. */
  wordy?: number[];
}

/** Rain of an hour of a day: every tenth day it rains, more each time. */
const rainOf = (day: number) => (day % 10 === 0 ? day / 10 : 0);

/** A CSV of hourly weather. It rains `(day / 10) × 24` mm on every tenth day, else not at all. */
export function weather({ from, days, silent = [], wordy = [] }: Weather): string {
  const rows = Array.from({ length: days * 24 }, (_, row) => {
    const day = Math.floor(row / 24);
    const date = new Date(Date.parse(from) + day * 86_400_000).toISOString().slice(0, 10);
    const hour = `${String(row % 24).padStart(2, "0")}00 UTC`;
    const measured = ["938.4", "938.5", "937.9", "", "22.5", "17.6", "23.7", "22.5", "17.6", "17.0"];
    const rest = [...measured, "74.0", "66.0", "74.0", "120.0", "8.8", "3.7"];
    if (silent.includes(row)) return [date, hour, "", ...rest.map(() => "")];
    return [date, hour, wordy.includes(row) ? "wet" : rainOf(day).toFixed(1), ...rest];
  });
  return [header.map(quoted), ...rows].map((row) => row.join(",")).join("\n") + "\n";
}

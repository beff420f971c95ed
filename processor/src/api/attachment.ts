/** Characters that turn the direction of a text, with which a name can hide its ending. */
const TURNING = /[\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

/**
 * The header Content-Disposition of a download of any name: what is not plain is replaced in `filename`, and encoded in
 * `filename*` (https://www.rfc-editor.org/rfc/rfc6266, https://www.rfc-editor.org/rfc/rfc8187#section-3.2).
 */
export function attachment(name: string): string {
  const safe = name
    .toWellFormed()
    .replaceAll(/[\p{Cc}/\\]/gu, "_")
    .replaceAll(TURNING, "_");
  const plain = safe.replaceAll(/[^\x20-\x7E]|["%]/gu, "_");
  const encoded = encodeURIComponent(safe).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"${plain === safe ? "" : `; filename*=UTF-8''${encoded}`}`;
}

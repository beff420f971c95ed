/** User data comes as it is, or in base64. */
export function readable(userData: string): string {
  return /^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(userData) ? Buffer.from(userData, "base64").toString("utf8") : userData;
}

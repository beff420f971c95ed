import { useSyncExternalStore } from "react";

const key = "cais.token";
const listeners = new Set<() => void>();
let asked = false;
let refused = false;

const tell = () => listeners.forEach((listener) => listener());
const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** The token that goes with every request, or null. It lives as long as the browser's tab. */
export const storedToken = () => sessionStorage.getItem(key);

/** Keeps a token for this tab. The next answer shows whether it is the right one. */
export function storeToken(token: string) {
  sessionStorage.setItem(key, token);
  asked = false;
  tell();
}

/** The API answered 401 to a request that carried `used`: forgets that token and has the page ask for another. */
export function askForToken(used: string | null) {
  // A late answer to an old request says nothing about the token given since.
  if (used !== storedToken()) return;
  refused = used !== null;
  sessionStorage.removeItem(key);
  asked = true;
  tell();
}

/** Whether the page must ask for a token now. */
export const useTokenAsked = () => useSyncExternalStore(subscribe, () => asked);

/** Whether the token given last was not accepted. */
export const wasRefused = () => refused;

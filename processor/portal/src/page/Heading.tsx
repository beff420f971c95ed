import { Title } from "@mantine/core";
import { useEffect, useRef, type ReactNode } from "react";

let navigated = false;
addEventListener("hashchange", () => (navigated = true), { once: true });

interface HeadingProps {
  children: string;
  /** What stands beside it, such as a state. */
  aside?: ReactNode;
}

/** The one heading of a view: names the browser's tab, and takes the focus when the view is entered by a link. */
export function Heading({ children, aside }: HeadingProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // The first view keeps the browser's own start, so that Tab reaches the skip link.
    if (!navigated) return;
    heading.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, []);
  useEffect(() => {
    document.title = `${children} · Cais`;
  }, [children]);
  return (
    <div style={{ display: "flex", flexWrap: "wrap", alignItems: "center", gap: "0.5rem 0.75rem" }}>
      <Title order={1} size="h2" ref={heading} tabIndex={-1} style={{ overflowWrap: "anywhere" }}>
        {children}
      </Title>
      {aside}
    </div>
  );
}

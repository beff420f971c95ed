// Pulumi sends a pack whose main is TypeScript through its own old compiler; Node runs the rest itself.
import "./index.ts";

import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { tagList, tagMap } from "./tags.ts";
import { stackTarget } from "./target.ts";

const chosen = (target?: string) => {
  pulumi.runtime.setAllConfig(target === undefined ? {} : { "cais:target": target });
  return stackTarget();
};

describe("stackTarget", () => {
  it("is what cais:target names", () => {
    expect(chosen("openstack")).toBe("openstack");
  });

  it.each([
    ["aws", 'is "aws", which this version cannot provision yet'],
    ["moon", 'is "moon", which is no target'],
    [undefined, "is missing"],
  ])("refuses %s and says what to choose", (target, problem) => {
    expect(() => chosen(target)).toThrow(
      `cais:target ${problem}; choose local or openstack with: pulumi config set cais:target local`,
    );
  });
});

describe("tags", () => {
  const tags = { owner: "meteorologia", stack: "inmet", environment: "prod", costCentre: "cc-7" } as const;

  it("are the same as a map and as a list", () => {
    expect(tagMap(tags)).toEqual({ owner: "meteorologia", stack: "inmet", environment: "prod", "cost-centre": "cc-7" });
    expect(tagList(tags)).toEqual(["owner=meteorologia", "stack=inmet", "environment=prod", "cost-centre=cc-7"]);
  });

  it.each(["", "a, b", "a\nX-Container-Read: .r:*", "x".repeat(49)])(
    "refuse %j, which does not fit everywhere",
    (owner) => {
      expect(() => tagMap({ ...tags, owner })).toThrow(
        new pulumi.RunError(
          `The tag owner of inmet is ${JSON.stringify(owner)}; it must be 1 to 48 characters, with no comma, no line break and no space at either end, since it becomes a tag.`,
        ),
      );
    },
  );

  it("take the longest value under the longest key", () => {
    expect(tagList({ ...tags, costCentre: "x".repeat(48) })[3]).toHaveLength(60);
  });
});

"use strict";

// Settles CloudFormation conditions whose operands are all known when packaging, as
// the parameters of a stage are. What a stage does not have is then not in its
// template, and a reader of it, or a linter, sees only what will be.

// Returns the value, a part of a template, without conditions in it; calls `refuse` with
// the reason if that cannot be.
module.exports = function settle(value, conditions, refuse) {
  const known = (name) => {
    if (!(name in conditions))
      refuse(`There is no condition ${name} in deploy/resources/conditions.yml.`);
    return truth(conditions[name], known, refuse);
  };
  return prune(value, known);
};

function truth(condition, known, refuse) {
  const [[kind, operands]] = Object.entries(condition);
  switch (kind) {
    case "Condition":
      return known(operands);
    case "Fn::And":
      return operands.every((operand) => truth(operand, known, refuse));
    case "Fn::Equals":
      return String(operands[0]) === String(operands[1]);
    case "Fn::Not":
      return !truth(operands[0], known, refuse);
    default:
      return refuse(
        `A condition in deploy/resources/conditions.yml uses ${kind}. Known are Condition, ` +
          "Fn::And, Fn::Equals and Fn::Not.",
      );
  }
}

const NOTHING = Symbol("AWS::NoValue");

function prune(value, known) {
  if (Array.isArray(value)) {
    return value.map((item) => prune(item, known)).filter((item) => item !== NOTHING);
  }
  if (value === null || typeof value !== "object") return value;
  if (value.Ref === "AWS::NoValue") return NOTHING;
  if ("Fn::If" in value) {
    const [name, yes, no] = value["Fn::If"];
    return prune(known(name) ? yes : no, known);
  }
  const entries = Object.entries(value)
    .filter(([, item]) => !(typeof item?.Condition === "string" && !known(item.Condition)))
    .map(([key, item]) => [key, prune(item, known)])
    .filter(([key, item]) => item !== NOTHING && !(key === "Condition" && typeof item === "string"));
  return Object.fromEntries(entries);
}

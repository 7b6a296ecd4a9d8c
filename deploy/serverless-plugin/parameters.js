"use strict";

// Returns what contradicts in the parameters, or nothing: CloudFormation would notice
// late, or not at all.

module.exports = function check(given) {
  const { alarms, certificate, domain, provisionedConcurrency, snapStart, trafficShift } = given;
  if (snapStart !== "None" && Number(provisionedConcurrency) > 0) {
    return "Choose one of the parameters snapStart and provisionedConcurrency.";
  }
  if (trafficShift !== "AllAtOnce" && String(alarms) !== "true") {
    return `The parameter trafficShift is ${trafficShift}, which looks at alarms, and alarms is not true.`;
  }
  if (domain && !certificate) {
    return `The parameter domain is ${domain}, and certificate is empty: give the ARN of its certificate.`;
  }
  return undefined;
};

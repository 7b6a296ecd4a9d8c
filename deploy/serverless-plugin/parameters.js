"use strict";

// Refuses parameters that contradict each other: CloudFormation would notice late,
// or not at all.

module.exports = function check({ alarms, provisionedConcurrency, snapStart, trafficShift }) {
  if (snapStart !== "None" && Number(provisionedConcurrency) > 0) {
    throw new Error("Choose one of the parameters snapStart and provisionedConcurrency.");
  }
  if (trafficShift !== "AllAtOnce" && String(alarms) !== "true") {
    throw new Error(
      `The parameter trafficShift is ${trafficShift}, which looks at alarms, and alarms is not true.`,
    );
  }
};

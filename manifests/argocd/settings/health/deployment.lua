-- What Argo CD shows of a Deployment: as it does by itself, but for one that a Rollout keeps
-- paused. That one is healthy while its pods are of its own template, and only suspended while a
-- newer template waits on it: the Rollout says what becomes of that.
local spec, status = obj.spec or {}, obj.status or {}
local notes = obj.metadata.annotations or {}
local held = notes["rollout.dev/restore"] ~= nil

local function progressing(message)
  return {status = "Progressing", message = message}
end

if spec.paused == true and not held then
  return {status = "Suspended", message = "Deployment is paused"}
end
if (obj.metadata.generation or 0) > (status.observedGeneration or 0) then
  return progressing("Waiting for rollout to finish: observed deployment generation less than desired generation")
end

local replicas, updated = spec.replicas, status.updatedReplicas or 0
local available = status.availableReplicas or 0
local late = false
for _, condition in ipairs(status.conditions or {}) do
  late = late or (condition.type == "Progressing" and condition.reason == "ProgressDeadlineExceeded")
end
-- Kubernetes leaves that reason on a paused Deployment, also when its pods have come after all.
if late and (spec.paused ~= true or (updated == replicas and available < updated)) then
  return {status = "Degraded", message = "Deployment \"" .. obj.metadata.name .. "\" exceeded its progress deadline"}
end
if spec.paused == true then
  if replicas ~= nil and updated < replicas then
    return {status = "Suspended", message = "a newer template waits here: the Rollout says for what"}
  end
else
  if replicas ~= nil and updated < replicas then
    return progressing("Waiting for rollout to finish: " .. updated .. " out of " .. replicas .. " new replicas have been updated...")
  end
end
if (status.replicas or 0) > updated then
  return progressing("Waiting for rollout to finish: " .. (status.replicas - updated) .. " old replicas are pending termination...")
end
if available < updated then
  return progressing("Waiting for rollout to finish: " .. available .. " of " .. updated .. " updated replicas are available...")
end
return {status = "Healthy"}

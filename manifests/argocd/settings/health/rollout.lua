-- What Argo CD shows of a Rollout, and so of the application: the release that runs, or how the
-- last commit ended. It reads the conditions that the controller writes, not the phases. One that is
-- being deleted never comes here: Argo CD itself shows that as Progressing.
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "waits for the controller"}
end

local known = {}
for _, condition in ipairs(status.conditions or {}) do
  known[condition.type] = condition
end

local stalled, moving, ready = known.Stalled, known.Reconciling, known.Ready
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
if moving ~= nil and moving.status == "True" then
  -- A gate or a person: it goes on when somebody says so.
  if moving.reason == "Paused" then
    return {status = "Suspended", message = moving.message}
  end
  return {status = "Progressing", message = moving.message}
end
if ready == nil then
  return {status = "Progressing", message = "waits for the controller"}
end
if ready.status ~= "True" then
  return {status = "Degraded", message = ready.message}
end
return {status = "Healthy", message = ready.message}

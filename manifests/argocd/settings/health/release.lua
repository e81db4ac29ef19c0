-- What Argo CD shows of a Release. It takes no part in the application's health: the Rollout does.
local phases = {
  Pending = "Progressing",
  Preparing = "Progressing",
  Progressing = "Progressing",
  Paused = "Suspended",
  Promoting = "Progressing",
  Baking = "Progressing",
  Adopting = "Progressing",
  RollingBack = "Progressing",
  Succeeded = "Healthy",
  RolledBack = "Degraded",
  Failed = "Degraded",
  -- Nothing is wrong: a newer commit took its place, or somebody took it away.
  Superseded = "Healthy",
  Cancelled = "Healthy",
}

local status = obj.status or {}
if status.phase == nil then
  return {status = "Progressing", message = "waits for the controller"}
end
local health = phases[status.phase] or "Unknown"
return {status = health, message = status.phase .. ": " .. (status.message or "")}

-- Which buttons a Release has: those that the controller would carry out now. It is the same rule
-- as that of `rollout promote` and its like, which the tests hold it to.
local status, last = obj.status or {}, obj.spec.action
local phase = status.phase or "Pending"
local from = status.pausedFrom
local ended = {Succeeded = true, RolledBack = true, Failed = true, Superseded = true, Cancelled = true}

local where = phase
if from ~= nil then
  where = from.phase
end
local marks = status.marks or {}
local taken = last == nil
for _, one in ipairs(status.actions or {}) do
  taken = taken or one.id == last.id
end

local open = not ended[phase] and phase ~= "RollingBack"
-- What somebody asked for and nobody has carried out yet is not written over, but for a rollback;
-- a rollback is never written over.
local back = last ~= nil and last.type == "rollback"
local free = open and taken and not back

local stands = {Preparing = true, Progressing = true, Promoting = true, Baking = true}
local pausable = phase == "Paused" or (stands[phase] and not (phase == "Promoting" and marks.cutover ~= nil))
local resumable = phase == "Paused" and not (from ~= nil and from.reason == "Approval")
local passable = where == "Progressing" or where == "Baking"

local function button(name, offered)
  return {disabled = not offered, displayName = name, params = {{name = "reason"}}}
end

return {
  promote = button("Promote", free and passable),
  promoteFull = button("Promote fully", free and passable),
  pause = button("Pause", free and pausable),
  resume = button("Resume", free and resumable),
  rollback = button("Roll back", open and not back and status.committed ~= true),
}

-- A template that was taken back is tried again by a commit, or by this button.
local status, notes = obj.status or {}, obj.metadata.annotations or {}
local rejected = status.rejected
local waits = rejected ~= nil and status.activeRelease == nil
  and notes["rollout.dev/retry"] ~= rejected.release
return {retry = {disabled = not waits, displayName = "Try the template again"}}

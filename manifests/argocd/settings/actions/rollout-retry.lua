-- Has the template that was taken back released once more: the annotation names the Release that
-- took it back, so that it is tried again once.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["rollout.dev/retry"] = obj.status.rejected.release
return obj

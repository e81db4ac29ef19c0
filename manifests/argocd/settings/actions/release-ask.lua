-- Asks something of a Release, as `rollout promote` and its like do. `asked` is set in front.
local os = require("os")
local reason = actionParams["reason"]
if reason == nil or reason == "" then
  reason = "asked in Argo CD"
end
obj.spec.action = {
  -- Each write moves the resourceVersion, so no two requests have the same id.
  id = "argocd-" .. asked .. "-" .. obj.metadata.resourceVersion,
  type = asked,
  -- The cluster knows who writes this: Argo CD's server. Who pressed the button is in Argo CD's
  -- own events. Another installation has another account: change the name here and in access.yaml.
  by = "system:serviceaccount:argocd:argocd-server",
  reason = reason,
  at = os.date("!%Y-%m-%dT%H:%M:%SZ"),
}
return obj

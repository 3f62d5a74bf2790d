"""What `mlflow deployments help -t triton` prints."""

from hilum.contract import CHALLENGER_SCREENING, NOTICE, SCREENING

HELP = f"""
Serves a release of Hilum, filter and classifier together, from NVIDIA Triton.

Target     triton                 the Triton of this installation (HILUM_TRITON_URL, else the local one)
           triton://HOST:PORT     another; PORT is its gRPC port, and HILUM_ADMIN_KEY its admin key
Name       {SCREENING}                the front door: what callers ask
           {CHALLENGER_SCREENING}     a second front door, for a release that is watched
Model      models:/{SCREENING}@champion, or models:/{SCREENING}/NUMBER

-C repository=DIR    the model repository that the Triton reads; needed unless it is this installation's
-C force=true        deploy what no gate let pass, or delete {SCREENING}; needs a reason
-C reason=WHY        kept in the ledger

What is deployed as {SCREENING} must be the champion, or have what `hilum promote` asks for. A deployment
moves no alias: `hilum rollout apply` and the watcher bring back what the aliases say. `predict` takes JSON
with the column `path`, or `image_bytes` in base64. `run-local` serves a release from a Triton of its own on
this installation's ports until Ctrl-C.

  mlflow deployments create -t triton://127.0.0.1:8001 --name {SCREENING} -m models:/{SCREENING}@champion

{NOTICE}
"""

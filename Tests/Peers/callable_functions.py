"""Functions of the Python functions framework, beside which the server's wire cases are laid. Run by functions-framework."""
import firebase_admin
from firebase_admin import credentials
from firebase_functions import https_fn, options


class Nobody(credentials.Base):
    def get_credential(self):
        return None


firebase_admin.initialize_app(Nobody(), {"projectId": "demo"})


@https_fn.on_call(cors=options.CorsOptions(cors_origins="*", cors_methods=["post"]))
def echo(request: https_fn.CallableRequest):
    data = request.data
    if isinstance(data, dict) and data.get("do") == "refuse":
        raise https_fn.HttpsError(https_fn.FunctionsErrorCode(data["code"]), "as asked", {"a": 1})
    if isinstance(data, dict) and data.get("do") == "break":
        raise ValueError("the secret is broken")
    return {"echo": data}

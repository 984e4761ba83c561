"""Every error that Planwarden raises, named by who must react.

```
PlanwardenError
├── InputError                the caller mends the request                        exit 2
│   ├── TaskRejected          task_rejected        empty, too large, NUL bytes, not text
│   ├── PlanRejected          plan_rejected        a plan that breaks the contract or names what is not there
│   ├── PlanDenied            plan_denied          a plan that policy does not allow                exit 4
│   ├── DataRejected          data_rejected        a data path that is missing or unreadable
│   ├── RunNotFound           run_not_found        no such run in this journal
│   ├── RunImported           run_imported         it came in a bundle: it can be read, not gone on with
│   ├── BundleRejected        bundle_rejected      not a bundle of runs, or one that cannot be taken in
│   ├── RunErased             run_erased           what the run said was erased
│   ├── RunNotOver            run_not_over         what only a run that is over allows
│   ├── BackupRefused         backup_refused       not a whole backup, or one that would lose runs
│   └── SnapshotMissing       snapshot_missing     catalog or policy of a run were not kept, or cannot be read
├── ConfigurationError        the operator mends a file or a variable             exit 2
│   ├── CatalogRejected       catalog_rejected     YAML, agents, tools, aliases, policies: file, line, remedy
│   ├── SettingsRejected      settings_rejected    an environment variable
│   ├── ModelFileRejected     model_file_rejected  missing, or not the bytes we pinned
│   ├── SigningKeyRejected    signing_key_rejected no Ed25519 key, or others may read it
│   └── AddressUnusable       address_unusable     not an address, or nothing can listen there
├── ModelError                the operator looks at the model server              exit 3
│   ├── ModelUnavailable      model_unavailable    nothing answers, or the model is not there
│   │   └── ModelCircuitOpen  model_circuit_open   failed too often just now; not asked again yet
│   ├── ModelTimedOut         model_timed_out      the deadline over all retries is past
│   ├── ReplyIncomplete       reply_incomplete     cut at the limit, or without its end mark
│   ├── ReplyInvalid          reply_invalid        not what the protocol promises
│   │   └── ToolCallingUnsupported  tool_calling_unsupported  the model takes no tools: use directed execution
│   └── PromptTooLong         prompt_too_long      does not fit the context in force
├── ToolFailed                the tool's author: raised by a tool, becomes a failed result
├── ToolFirstPolicyViolation  the run's settings say what follows                 exit 3
├── CallRefused               the agent: a call that plan or policy does not allow  exit 4
└── StoreError                the operator looks at the disk
    ├── StoreUnavailable      store_unavailable    read-only, full, missing      exit 2
    ├── StoreVersionMismatch  store_version        written by another schema version  exit 2
    ├── StoreCorrupt          store_corrupt        truncated or altered           exit 6
    ├── LeaseHeld             lease_held           another live process runs it   exit 5
    └── LeaseLost             lease_lost           this process was taken over: it must stop at once  exit 5
```
"""

from __future__ import annotations

from typing import ClassVar, Self


def installing(extra: str) -> str:
    """Say in a remedy how an extra is installed: Planwarden is on no package index, so from where it came."""
    return f"`pip install '.[{extra}]'` in a checkout of the repository"


class PlanwardenError(Exception):
    """What happened and where (`message`), and what to do about it (`remedy`)."""

    code: ClassVar[str] = "planwarden_error"
    """Stable identifier, safe to match on and to put in a metric label."""

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    run_id: str | None = None
    """Of the run that failed of it and is on record."""

    def on_record(self, run_id: str) -> Self:
        """Note the run that failed of this error."""
        self.run_id = run_id
        return self

    def saying(self, message: str) -> Self:
        """Give the same error in other words: its class, remedy and whatever else it carries stay."""
        again = type(self).__new__(type(self), message)
        again.__dict__.update(self.__dict__)
        again.message = message
        return again


class InputError(PlanwardenError):
    """The caller's request cannot be carried out as given."""

    code = "input_error"


class TaskRejected(InputError):
    """The task itself is not usable."""

    code = "task_rejected"


class PlanRejected(InputError):
    """A plan breaks the contract, or names what the catalog does not have."""

    code = "plan_rejected"


class PlanDenied(InputError):
    """A plan that policy does not allow."""

    code = "plan_denied"


class DataRejected(InputError):
    """A data path is missing, unreadable, or of no known format."""

    code = "data_rejected"


class RunNotFound(InputError):
    """The journal holds no run of that id."""

    code = "run_not_found"


class RunImported(InputError):
    """The run was imported from a bundle: whoever began it goes on with it."""

    code = "run_imported"


class BundleRejected(InputError):
    """A file is no bundle of runs, or holds what cannot be taken in."""

    code = "bundle_rejected"


class RunErased(InputError):
    """What the run said was erased: nothing can be shown, replayed or gone on with."""

    code = "run_erased"


class RunNotOver(InputError):
    """The run goes on or waits; what was asked is for runs that are over."""

    code = "run_not_over"


class BackupRefused(InputError):
    """A file is no whole backup, or restoring it would lose what the journal has."""

    code = "backup_refused"


class SnapshotMissing(InputError):
    """Catalog or policy of a run cannot be had back."""

    code = "snapshot_missing"


class ConfigurationError(PlanwardenError):
    """The operator's configuration cannot be used."""

    code = "configuration_error"


class CatalogRejected(ConfigurationError):
    """The catalog file has a mistake; the message names file and line."""

    code = "catalog_rejected"


class SettingsRejected(ConfigurationError):
    """An environment variable has a value that cannot be used."""

    code = "settings_rejected"


class ModelFileRejected(ConfigurationError):
    """The embedded model's file is missing or has a wrong digest."""

    code = "model_file_rejected"


class SigningKeyRejected(ConfigurationError):
    """The key that bundles are signed with cannot be used."""

    code = "signing_key_rejected"


class AddressUnusable(ConfigurationError):
    """An address to listen on is none, or cannot be had."""

    code = "address_unusable"


class ModelError(PlanwardenError):
    """A model gave no usable reply."""

    code = "model_error"


class ModelUnavailable(ModelError):
    """Nothing answers at the address, or it does not have the model."""

    code = "model_unavailable"


class ModelCircuitOpen(ModelUnavailable):
    """The model failed too often just now; it is not asked again before a pause is over."""

    code = "model_circuit_open"


class ModelTimedOut(ModelError):
    """The deadline, which covers all retries, is past."""

    code = "model_timed_out"


class ReplyIncomplete(ModelError):
    """The reply was cut at its limit or came without its end mark."""

    code = "reply_incomplete"

    def __init__(self, message: str, *, remedy: str, prompt_tokens: int = 0, output_tokens: int = 0) -> None:
        """Take what the cut reply cost, where the server says so: it was paid for all the same."""
        super().__init__(message, remedy=remedy)
        self.prompt_tokens = prompt_tokens
        self.output_tokens = output_tokens


class ReplyInvalid(ModelError):
    """The reply is not what the protocol promises."""

    code = "reply_invalid"


class ToolCallingUnsupported(ReplyInvalid):
    """The model or its server takes no tools; directed execution does without."""

    code = "tool_calling_unsupported"


class PromptTooLong(ModelError):
    """The prompt does not fit the context length in force."""

    code = "prompt_too_long"


class ToolFailed(PlanwardenError):
    """A tool could not do what it was asked; becomes a failed result, never a crash."""

    code = "tool_failed"


class ToolFirstPolicyViolation(PlanwardenError):
    """A step with tools wants to answer although none of its planned tools succeeded."""

    code = "tool_first_policy_violation"


class CallRefused(PlanwardenError):
    """A tool call that the plan, the policy, the schema or a budget does not allow."""

    code = "call_refused"


class StoreError(PlanwardenError):
    """The journal cannot be read or written."""

    code = "store_error"


class StoreUnavailable(StoreError):
    """The journal's file cannot be opened or written."""

    code = "store_unavailable"


class StoreVersionMismatch(StoreError):
    """The journal was written by another schema version."""

    code = "store_version"


class StoreCorrupt(StoreError):
    """The journal's bytes are not what was written."""

    code = "store_corrupt"


class LeaseHeld(StoreError):
    """Another live process owns the run."""

    code = "lease_held"


class LeaseLost(StoreError):
    """This process no longer owns the run; it must do nothing more for it."""

    code = "lease_lost"

"""Every private name of ministack that the emulator uses.

ministack has no plug-in API, so its version is pinned, and these names and their parameters are
checked at each start of the emulator and by a test. A release without one of them stops the local
AWS with an error, instead of silently changing its behaviour.
"""

from __future__ import annotations

import importlib
import inspect

__all__ = ["PRIVATE_NAMES", "moved"]

# module: {name: parameters, or None if it is not a function}
PRIVATE_NAMES: dict[str, dict[str, list[str] | None]] = {
    "ministack.app": {
        "AUTH": None,
        "SERVICE_HANDLERS": None,
        "SERVICE_REGISTRY": None,
        "_get_reset_lock": [],
        "_loaded_modules": None,
        "_reset_all_state": [],
        "app": ["scope", "receive", "send"],
    },
    "ministack.core.concurrency": {"run_reentrant": ["fn", "args", "thread_name"]},
    "ministack.core.router": {"SERVICE_PATTERNS": None},
    "ministack.core.responses": {
        "get_account_id": [],
        "error_response_json": [
            *("code", "message", "status", "extra", "message_key", "content_type"),
        ],
        "get_region": [],
        "new_uuid": [],
    },
    "ministack.core.iam_actions": {
        "SERVICE_TO_IAM_NAMESPACE": None,
        "access_denied_response": [
            *("service", "action", "principal_arn", "request_id", "error_code", "message"),
            *("headers", "resource_arn", "explicit_deny", "resource_policy_arn"),
        ],
        "extract_resource_arn": [
            *("service", "method", "path", "headers", "body", "query_params", "region"),
            "account_id",
        ],
        "identity_denial_message": ["action", "principal_arn", "resource", "explicit_deny"],
        "request_tag_context": ["service", "iam_action", "body", "params"],
    },
    "ministack.core.iam_evaluator": {
        "AuthError": None,
        "EvalContext": None,
        "evaluate": ["ctx", "policies", "limits"],
        "parse_policy_document": ["doc"],
        "resolve_principal": ["access_key_id", "account_id", "credential"],
    },
    "ministack.core.lambda_runtime": {
        "ProvidedWorker": ["func_name", "config", "code_zip"],
        "_account_region_from_function_config": ["config"],
        "_worker_class_for": ["config"],
        "execution_credentials": ["config"],
    },
    "ministack.services.cloudformation.custom_resource": {
        "_normalise_resource_properties": ["value"],
        "invoke_custom_resource": [
            *("request_type", "logical_id", "props", "stack_name", "stack_id", "resource_type"),
            *("physical_id", "old_props"),
        ],
    },
    "ministack.services.cloudformation.changesets": {
        "_diff_resources": [
            *("old_template", "new_template", "resources", "template", "changed_params", "retag"),
        ],
        "_find_change_set": ["cs_name", "stack_name"],
        "_resolve_props_for_diff": ["template", "params", "stack_name", "stack_id"],
        "now_iso": [],
    },
    "ministack.services.cloudformation.engine": {
        "_NO_VALUE": None,
        "_evaluate_conditions": ["template", "params"],
        "_parse_template": ["template_body"],
        "_resolve_parameters": ["template", "provided_params", "previous_params"],
        "_resolve_refs": [
            *("value", "resources", "params", "conditions", "mappings", "stack_name", "stack_id"),
        ],
    },
    "ministack.services.cloudformation.handlers": {
        "_ACTION_HANDLERS": None,
        "_create_stack_task_in_region": ["coro", "stack", "stack_id"],
        "_delete_stack_async": ["stack_name", "stack_id", "retain_resources", "force"],
        "_error": ["code", "message", "status"],
        "_p": ["params", "key", "default"],
        "_resolve_stack": ["stack_name"],
        "_stack_has_no_updates": [
            *("stack", "template", "param_values", "tags", "use_previous_template", "tags_given"),
        ],
        "_xml": ["status", "root_tag", "inner"],
        "now_iso": [],
    },
    "ministack.services.cloudformation.helpers": {"_resolve_template": ["params"]},
    "ministack.services.cloudformation.provisioners": {
        "_CUSTOM_NAME_REPLACEMENT": None,
        "_PROPERTY_ENUMS": None,
        "_REPLACING_PROPERTIES": None,
        "_RESOURCE_HANDLERS": None,
        "_STACK_TAG_PROPERTY": None,
        "_check_nested_stack_capabilities": ["parent_stack_name", "template"],
        "_custom_resource_update": [
            *("physical_id", "old_props", "new_props", "stack_name", "logical_id"),
            "resource_type",
        ],
        "_ec2_apply_tags": ["physical_id", "props", "old_props"],
        "_inherited_capabilities": ["parent_stack_name"],
    },
    "ministack.services.cloudformation": {
        "_change_sets": None,
        "_stack_events": None,
        "_stacks": None,
    },
    "ministack.services.cloudformation.stacks": {
        "_add_event": [
            *("stack_id", "stack_name", "logical_id", "resource_type", "status", "reason"),
            *("physical_id", "detailed_status"),
        ],
        "_continue_update_rollback_async": ["stack_name", "stack_id", "resources_to_skip"],
        "_create_then_delete_on_failure": ["stack_name", "stack_id", "deploy_coro"],
        "_delete_resource": ["resource_type", "physical_id", "props", "stack_name", "logical_id"],
        "_deploy_stack_async": [
            *("stack_name", "stack_id", "template", "param_values", "disable_rollback", "tags"),
            *("is_update", "previous_stack", "retain_except_on_create", "imports"),
        ],
        "_delete_stack_async": ["stack_name", "stack_id", "retain_resources", "force"],
        "_diff_resources": [
            *("old_template", "new_template", "resources", "template", "changed_params", "retag"),
        ],
        "_provision_resource": ["resource_type", "logical_id", "props", "stack_name"],
        "_resolve_stack_outputs": [
            *("outputs_defs", "conditions", "resources", "param_values", "mappings"),
            *("stack_name", "stack_id"),
        ],
        "_revert_update": [
            *("stack_id", "stack_name", "logical_id", "rtype", "physical_id", "applied_props"),
            *("previous_props", "attrs", "record"),
        ],
        "_roll_back_operation": ["stack_name", "stack_id", "stack", "operation", "reason_override"],
        "_stack_region_context": ["stack", "stack_id"],
        "_update_resource": [
            *("resource_type", "physical_id", "old_props", "new_props", "stack_name"),
            *("logical_id", "old_attrs"),
        ],
        "_with_dependencies": ["logical_ids", "res_defs", "remaining"],
        "_runs_on_worker_thread": ["resource_type"],
        "asyncio": None,
        "now_iso": [],
    },
    "ministack.services.cloudwatch": {
        "_alarms": None,
        "_dims_from_list": ["dimensions"],
        "_dims_key": ["dims"],
        "_evaluate_alarm": ["alarm"],
        "_evaluate_parent_alarms": ["child", "seen"],
        "_metrics": None,
        "_record_history": [
            *("alarm_name", "old_state", "new_state", "reason", "alarm_type", "reason_data"),
        ],
        "handle_request": ["method", "path", "headers", "body", "query_params"],
        "reset": [],
    },
    "ministack.services.cloudwatch_logs": {"_log_groups": None},
    "ministack.services.ec2": {
        "_addresses": None,
        "_allocate_address": ["p"],
        "_create_nat_gateway": ["params"],
        "_delete_nat_gateway": ["params"],
        "_nat_gateways": None,
        "_release_address": ["p"],
        "_vpcs": None,
    },
    "ministack.services.eventbridge": {
        "_SCHEDULER_TICK_INTERVAL": None,
        "_delete_rule": ["data"],
        "_dispatch_to_lambda": ["arn", "payload"],
        "_invoke_target": ["target", "event", "rule", "view"],
        "_now_ts": [],
        "_put_events": ["data", "allow_aws_source"],
        "_put_rule": ["data"],
        "_put_targets": ["data"],
        "_rule_key": ["rule_name", "bus_name"],
        "_targets": None,
        "_parse_rate_seconds": ["expr"],
    },
    "ministack.services.lambda_svc": {
        "_LAMBDA_ASYNC_RETRY_BASE_SECONDS": None,
        "_LAMBDA_ASYNC_RETRY_MAX_SECONDS": None,
        "_create_function": ["data"],
        "_update_config": ["name", "data"],
        "_vpc_config_with_id": ["request_config"],
        "_add_permission": ["func_name", "data", "query_params", "path_qualifier"],
        "_functions": None,
        "_emit_lambda_logs": [
            *("func", "request_id", "log_text", "error", "duration_ms", "log_source"),
        ],
        "_execute_function": ["func", "event"],
        "_execute_function_provided_warm": ["func", "event", "request_id"],
        "_execute_function_warm": ["func", "event", "request_id"],
        "_execution_record_for_config": ["func", "config"],
        "_get_func_record_for_ref": ["function_ref"],
        "_provided_worker_env": ["config", "code_dir", "port"],
        "_runtime_env_vars": ["config"],
        "invoke_async_with_retry": ["func", "event"],
    },
}


def moved() -> list[str]:
    """Return what is missing or has other parameters than expected, one sentence each."""
    problems = []
    for module_name, names in PRIVATE_NAMES.items():
        module = importlib.import_module(module_name)
        for name, expected in names.items():
            if not hasattr(module, name):
                problems.append(f"{module_name} has no {name}")
            elif expected is not None:
                actual = list(inspect.signature(getattr(module, name)).parameters)
                if actual != expected:
                    problems.append(f"{module_name}.{name} takes {actual}, expected {expected}")
    return problems

"""The official clients of Anthropic and OpenAI against the server on a port: one line of JSON for every case."""
import json
import sys

import anthropic
import openai

base = f"http://127.0.0.1:{sys.argv[1]}"
prompt = json.dumps({"lines": [{"id": "a", "text": "x", "draft": "Led “5” teams ä€😀"}]})


def report(case, body):
    try:
        print(json.dumps([case, "ok", body()]))
    except (anthropic.APIStatusError, openai.APIStatusError) as error:
        print(json.dumps([case, type(error).__name__, error.status_code]))
    except Exception as error:  # noqa: BLE001: the name is what is compared
        print(json.dumps([case, type(error).__name__, None]))


def claude(model, key="stub-key", retries=2):
    client = anthropic.Anthropic(base_url=base, api_key=key, max_retries=retries, timeout=20)
    message = client.messages.create(model=model, max_tokens=100, system="s", messages=[{"role": "user", "content": prompt}])
    return [message.content[0].text, message.stop_reason, message.usage.cache_read_input_tokens]


def claude_stream(model):
    client = anthropic.Anthropic(base_url=base, api_key="stub-key", max_retries=0, timeout=20)
    with client.messages.stream(model=model, max_tokens=100, messages=[{"role": "user", "content": prompt}]) as stream:
        text = "".join(stream.text_stream)
        return [text, stream.get_final_message().stop_reason, stream.get_final_message().usage.cache_read_input_tokens]


def gpt(model, key="stub-key", retries=2):
    client = openai.OpenAI(base_url=base + "/v1", api_key=key, max_retries=retries, timeout=20)
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": prompt}])
    return [answer.choices[0].message.content, answer.choices[0].finish_reason, answer.usage.prompt_tokens_details.cached_tokens]


def gpt_stream(model):
    client = openai.OpenAI(base_url=base + "/v1", api_key="stub-key", max_retries=0, timeout=20)
    text, stop, cached = "", None, None
    for chunk in client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": prompt}], stream=True, stream_options={"include_usage": True}
    ):
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
            stop = chunk.choices[0].finish_reason or stop
        if chunk.usage:
            cached = chunk.usage.prompt_tokens_details.cached_tokens
    return [text, stop, cached]


schema = {"type": "object", "additionalProperties": False, "required": ["lines"], "properties": {"lines": {"type": "array", "items": {"type": "string"}}}}


def claude_structured(schema):
    client = anthropic.Anthropic(base_url=base, api_key="stub-key", max_retries=0, timeout=20)
    message = client.messages.create(
        model="stub",
        max_tokens=100,
        system=[{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        messages=[{"role": "user", "content": prompt}],
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )
    return [message.content[0].text, message.stop_reason, message.usage.cache_read_input_tokens]


def gpt_structured(schema):
    client = openai.OpenAI(base_url=base + "/v1", api_key="stub-key", max_retries=0, timeout=20)
    answer = client.chat.completions.create(
        model="stub",
        messages=[{"role": "user", "content": prompt}],
        prompt_cache_key="k",
        response_format={"type": "json_schema", "json_schema": {"name": "lines", "strict": True, "schema": schema}},
    )
    return [answer.choices[0].message.content, answer.choices[0].finish_reason, answer.usage.prompt_tokens_details.cached_tokens]


report("anthropic structured", lambda: claude_structured(schema))
report("openai structured", lambda: gpt_structured(schema))
report("anthropic shapeless", lambda: claude_structured({}))
report("openai shapeless", lambda: gpt_structured({}))
for name, call, stream in [("anthropic", claude, claude_stream), ("openai", gpt, gpt_stream)]:
    report(f"{name} whole", lambda: call("stub"))
    report(f"{name} stream", lambda: stream("stub"))
    report(f"{name} retried", lambda: call(f"stub-429-2-{name}"))
    report(f"{name} overloaded", lambda: call(f"stub-529-1-{name}"))
    report(f"{name} given up", lambda: call(f"stub-503-9-{name}", retries=1))
    report(f"{name} key", lambda: call("stub", key="other"))
    report(f"{name} truncated", lambda: call("stub-truncated"))
    report(f"{name} refusal", lambda: call("stub-refusal"))
    report(f"{name} quota", lambda: call("stub-quota", retries=0))

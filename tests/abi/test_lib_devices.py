"""Vendors, devices, their options and information, profiling."""

import json

import lib_programs as programs
import pytest

from odla_ipu.sim.machine import GENERATIONS

PRELUDE = r"""
#include <ODLA/odla_ipu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID(text) ((odla_value_id)(text))
#define SHOW(call) show(#call, call)

static int show(const char* call, odla_status status) {
  char name[64];
  size_t length = strcspn(call, "(");
  memcpy(name, call, length);
  name[length] = 0;
  printf("%s %d %s\n", name, status, status ? odla_ipu_LastError() : "");
  return status;
}

/* y = relu(x @ x) of 64 x 64 elements. */
static odla_computation net(void) {
  odla_computation computation;
  odla_value_type type = {ODLA_FLOAT32, {2, {64, 64}}};
  odla_CreateComputation(&computation);
  odla_value x = odla_CreateArgument(type, ID("x"));
  odla_value y = odla_Gemm(x, 0, x, 0, 1, 1, NULL, type.shape, ID("fc"));
  odla_SetValueAsOutput(odla_Relu(y, ID("act")));
  return computation;
}

static float memory[2][64 * 64];

static odla_status run(odla_computation computation, odla_device device) {
  odla_context context;
  odla_status status;
  odla_CreateContext(&context);
  for (int i = 0; i < 64 * 64; ++i) memory[0][i] = (float)(i % 7 - 3), memory[1][i] = -9;
  odla_BindToArgumentById(ID("x"), memory[0], context);
  odla_BindToOutputById(ID("act"), memory[1], context);
  status = odla_ExecuteComputation(computation, context, ODLA_COMPUTE_INFERENCE, device);
  odla_DestroyContext(context);
  for (int i = 0; i < 64 && !status; ++i)
    for (int j = 0; j < 64; ++j) {
      float sum = 0;
      for (int k = 0; k < 64; ++k) sum += memory[0][i * 64 + k] * memory[0][k * 64 + j];
      if (memory[1][i * 64 + j] != (sum > 0 ? sum : 0)) return ODLA_FAILURE;
    }
  return status;
}

static void information(odla_device device) {
  for (int item = 0; item < 13; ++item) {
    odla_scalar_value value;
    memset(&value, 0xee, sizeof value);
    odla_status status = odla_GetDeviceInfo(device, (odla_device_info)item, &value);
    printf("info %d %d %d ", item, status, value.data_type);
    if (value.data_type == ODLA_INT32) printf("%d", value.val_int32);
    if (value.data_type == ODLA_INT64) printf("%lld", (long long)value.val_int64);
    if (value.data_type == ODLA_FLOAT32) printf("%.9g", value.val_fp32);
    if (value.data_type == ODLA_STRING && item != ODLA_DEVICE_INFO_DEV_UUID)
      printf("%s", value.val_str);
    if (item == ODLA_DEVICE_INFO_DEV_UUID)
      for (int i = 0; i < 16; ++i) printf("%02x", value.val_str[i] & 255);
    printf("\n");
  }
}

static odla_status option(odla_device_config config, const char* key, const char* text) {
  odla_ipu_item item;
  item.key = key;
  item.value = text;
  return odla_SetDeviceConfigItem(config, (odla_device_config_item)&item);
}
"""


def built(folder, body, name="program"):
    return programs.build(
        folder,
        f"{PRELUDE}\nint main(int argc, char** argv) {{\n"
        f"  (void)argc, (void)argv, (void)run, (void)net, (void)information,"
        f" (void)option;\n{body}\n  return 0;\n}}\n",
        name=name,
    )


def statuses(done, name):
    """Statuses and messages of the calls of one name."""
    found = [line.split(" ", 2) for line in done.stdout.splitlines() if line.startswith(name + " ")]
    return [(int(line[1]), line[2] if len(line) > 2 else "") for line in found]


def information(done):
    """The answers of each time that a program asked, by item."""
    rounds = []
    for line in done.stdout.splitlines():
        if line.startswith("info "):
            item, status, kind, text = line[5:].split(" ", 3)
            if item == "0":
                rounds.append([])
            assert status == "0", line
            rounds[-1].append((int(kind), text))
    return rounds


# Allocation.

ALLOCATE = r"""
  odla_vendor vendor, other;
  odla_device device = (odla_device)&vendor;
  SHOW(odla_GetVendor(ODLA_VENDOR_GRAPHCORE, &vendor));
  SHOW(odla_GetVendor(ODLA_VENDOR_NVIDIA, &other));
  for (int i = 1; i + 1 < argc; i += 2) {
    SHOW(odla_AllocateDevice(i % 4 == 1 ? NULL : vendor, (odla_device_name)atoi(argv[i]),
                             atoi(argv[i + 1]), &device));
    if (device) SHOW(odla_DestroyDevice(device));
    else printf("no device\n");
  }
"""


def test_names_and_indices(tmp_path):
    program = built(tmp_path, ALLOCATE)
    given = [0, 0, 0, 15, 0, 16, 0, -1, 5, 3, 10, 0]
    done = programs.run(program, *given)
    assert statuses(done, "odla_GetVendor")[0][0] == 0
    assert statuses(done, "odla_GetVendor")[1][0] == 6
    found = statuses(done, "odla_AllocateDevice")
    assert [status for status, _ in found] == [0, 0, 3, 3, 0, 6]
    assert "accepted: 0 to 15" in found[2][1] and "the index is -1" in found[3][1]
    assert done.stdout.count("no device") == 3
    done = programs.run(program, 0, 3, 0, 4, ODLA_IPU_SIM_IPUS=4)
    assert [status for status, _ in statuses(done, "odla_AllocateDevice")] == [0, 3]


@pytest.mark.parametrize(
    "environment, wanted",
    [
        (None, (0, 6)),
        ("auto", (0, 6)),
        ("sim", (0, 0)),
        ("ipu_model", (6, 6)),
        ("gpu", (3, 3)),
    ],
)
def test_graphcore_ipu_is_hardware_unless_the_environment_names_a_kind(
    tmp_path, environment, wanted
):
    program = built(tmp_path, ALLOCATE)
    done = programs.run(program, 0, 0, 5, 0, ODLA_IPU_DEVICE=environment)
    assert tuple(status for status, _ in statuses(done, "odla_AllocateDevice")) == wanted
    if wanted == (0, 6):
        assert "popart is not installed" in statuses(done, "odla_AllocateDevice")[1][1]
        assert "computes on its simulator" in done.stderr


def test_sim_mode(tmp_path):
    """True: a simulation; false and unset: auto.  ODLA_IPU_DEVICE has the last word."""
    program = built(
        tmp_path,
        r"""
  for (int i = 1; i < argc; ++i) {
    bool flag = atoi(argv[i]) != 0;
    odla_computation computation = net();
    SHOW(odla_SetComputationItem(computation, ODLA_USE_SIM_MODE, (odla_item_value)&flag));
    SHOW(run(computation, NULL));
  }
""",
    )
    done = programs.run(program, 1, ODLA_IPU_DEVICE=None)
    assert statuses(done, "run") == [(0, "")]
    assert "simulator" not in done.stderr  # it was asked for
    done = programs.run(program, 0, 1, ODLA_IPU_DEVICE=None)
    assert statuses(done, "run") == [(0, ""), (0, "")] and "on its simulator" in done.stderr
    done = programs.run(program, 1, ODLA_IPU_DEVICE="ipu")
    assert statuses(done, "run")[0][0] == 6


def test_more_ipus_than_there_are(tmp_path):
    program = built(
        tmp_path,
        r"""
  int number = atoi(argv[1]);
  odla_computation computation = net();
  SHOW(odla_SetComputationItem(computation, ODLA_PROCESSOR_NUM, (odla_item_value)&number));
  SHOW(run(computation, NULL));
""",
    )
    done = programs.run(program, 4, ODLA_IPU_SIM_IPUS=4)
    assert statuses(done, "run") == [(0, "")]
    done = programs.run(program, 8, ODLA_IPU_SIM_IPUS=4)
    ((status, message),) = statuses(done, "run")
    assert status == 6 and "this machine has 4 IPUs" in message
    done = programs.run(program, 3)
    assert statuses(done, "odla_SetComputationItem")[0][0] == 3


# Information.


def test_all_items(tmp_path):
    program = built(
        tmp_path,
        r"""
  odla_device device;
  odla_scalar_value value;
  SHOW(odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, atoi(argv[1]), &device));
  information(device);
  odla_computation computation = net();
  odla_executable executable;
  SHOW(odla_CompileComputation(computation, device, &executable));
  for (int i = 0; i < 2000; ++i)
    if (run(computation, device)) return 1;
  information(device);
  SHOW(odla_GetDeviceInfo(device, (odla_device_info)13, &value));
  SHOW(odla_GetDeviceInfo(device, (odla_device_info)-1, &value));
  SHOW(odla_GetDeviceInfo(device, ODLA_DEVICE_INFO_DEV_TYPE, NULL));
  SHOW(odla_GetDeviceInfo(NULL, ODLA_DEVICE_INFO_DEV_TYPE, &value));
  SHOW(odla_DestroyDevice(device));
  SHOW(odla_GetDeviceInfo(device, ODLA_DEVICE_INFO_DEV_TYPE, &value));
  SHOW(odla_DestroyDevice(device));
""",
    )
    done = programs.run(program, 3, ODLA_IPU_SIM_GENERATION="bow", ODLA_IPU_SIM_IPUS=8)
    before, after = information(done)
    string, int32, int64, float32 = 21, 2, 3, 18
    kinds = [string, int32, int32, string, string, float32, float32, int64, int64]
    kinds += [float32, float32, string, string]
    assert [kind for kind, _ in before] == kinds == [kind for kind, _ in after]
    texts = [text for _, text in before]
    assert texts[0].startswith("odla_ipu ") and texts[1:3] == ["8", "3"]
    assert "sim" in texts[3] and "bow" in texts[3]
    assert len(bytes.fromhex(texts[4])) == 16 and set(texts[4]) != {"0"}
    generation = GENERATIONS["bow"]
    assert int(texts[7]) == generation.tiles * generation.bytes_per_tile
    assert texts[8] == "0" and float(texts[6]) == 0
    for text in texts[11], texts[12]:
        major, minor = text.split(".")
        assert major.isdigit() and minor.isdigit()
    used = int(after[8][1])
    assert 2 * 64 * 64 * 4 <= used < 1 << 20
    assert float(after[6][1]) == pytest.approx(used / int(texts[7]), rel=1e-6)
    assert 0 < float(after[5][1]) <= 1
    assert [status for status, _ in statuses(done, "odla_GetDeviceInfo")] == [14, 14, 3, 3, 3]
    assert [status for status, _ in statuses(done, "odla_DestroyDevice")] == [0, 3]


def test_devices_are_told_apart(tmp_path):
    program = built(
        tmp_path,
        r"""
  odla_device devices[2];
  for (int i = 0; i < 2; ++i) {
    odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, i, &devices[i]);
    SHOW(run(net(), devices[i]));
  }
  information(devices[0]);
  information(devices[1]);
""",
    )
    first, second = information(programs.run(program))
    assert [first[2][1], second[2][1]] == ["0", "1"] and first[4] != second[4]
    assert first[0] == second[0] and first[1] == second[1] == (2, "16")


# Options.

INIT = r"""
  odla_device device;
  odla_device_config config;
  SHOW(odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &device));
  SHOW(odla_CreateDeviceConfig(&config));
  for (int i = 1; i + 1 < argc; i += 2) SHOW(option(config, argv[i], argv[i + 1]));
  SHOW(odla_InitDevice(device, config));
  SHOW(odla_DestroyDeviceConfig(config));
  information(device);
  SHOW(run(net(), device));
  SHOW(odla_DestroyDevice(device));
"""


@pytest.fixture(scope="module")
def init(tmp_path_factory):
    return built(tmp_path_factory.mktemp("init"), INIT)


@pytest.mark.parametrize(
    "options, warning",
    [
        ([], ""),
        (["__device_type", "sim", "__num_ipus", "4", "__tiles_per_ipu", "1472"], ""),
        (["__sync_pattern", "full", "__connection_type", "Always"], ""),
        (["__connection_type", "OnDemand"], ""),
        (["__sync_pattern", "PingPong"], "__sync_pattern PingPong has no effect"),
        (["__device_type", "ipu"], "__device_type ipu is ignored: ODLA_IPU_DEVICE is sim"),
    ],
)
def test_options(init, options, warning):
    done = programs.run(init, *options)
    assert statuses(done, "odla_InitDevice") == [(0, "")]
    assert statuses(done, "run") == [(0, "")] and statuses(done, "odla_DestroyDevice")[0][0] == 0
    ((*_, count),) = [[one[1][1] for one in information(done)]]
    assert count == ("4" if "__num_ipus" in options else "16")
    assert warning in done.stderr and bool(warning) == bool("Warning" in done.stderr)


@pytest.mark.parametrize(
    "options, status, part",
    [
        (["__device_type", "gpu"], 3, "accepted: ipu, ipu_model, sim"),
        (["__num_ipus", "3"], 3, "powers of two"),
        (["__num_ipus", "many"], 3, "__num_ipus is 'many'"),
        (["__num_ipus", "32"], 6, "has 16 IPUs to give"),
        (["__tiles_per_ipu", "1216"], 3, "has 1472"),
        (["__sync_pattern", "none"], 3, "accepted: full, SinglePipeline, PingPong"),
        (["__connection_type", "Never"], 3, "accepted: Always, OnDemand"),
        (["__connection_type", "Sometimes"], 3, "accepted: Always"),
        (["__no_such_option", "1"], 3, "accepted: __device_type, __num_ipus"),
    ],
)
def test_wrong_options(init, options, status, part):
    """The device stays as it was."""
    done = programs.run(init, *options)
    ((found, message),) = statuses(done, "odla_InitDevice")
    assert found == status and part in message
    assert statuses(done, "run") == [(0, "")]


def test_the_kind_of_a_device_by_option(init):
    done = programs.run(init, "__device_type", "ipu_model", ODLA_IPU_DEVICE=None)
    assert statuses(done, "odla_InitDevice")[0][0] == 6
    done = programs.run(init, "__device_type", "sim", ODLA_IPU_DEVICE=None)
    assert statuses(done, "odla_InitDevice") == [(0, "")] and statuses(done, "run") == [(0, "")]


def test_items_of_options(tmp_path):
    program = built(
        tmp_path,
        r"""
  odla_device_config config;
  odla_ipu_item half = {"__num_ipus", NULL};
  SHOW(odla_CreateDeviceConfig(NULL));
  SHOW(odla_CreateDeviceConfig(&config));
  SHOW(odla_SetDeviceConfigItem(config, NULL));
  SHOW(odla_SetDeviceConfigItem(config, (odla_device_config_item)&half));
  SHOW(odla_SetDeviceConfigItem(NULL, (odla_device_config_item)&half));
  SHOW(odla_InitDevice(NULL, config));
  SHOW(odla_DestroyDeviceConfig(config));
  SHOW(odla_DestroyDeviceConfig(config));
  SHOW(option(config, "__num_ipus", "1"));
""",
    )
    done = programs.run(program)
    found = {
        name: [status for status, _ in statuses(done, f"odla_{name}")]
        for name in ("CreateDeviceConfig", "SetDeviceConfigItem", "InitDevice")
    }
    assert found == {
        "CreateDeviceConfig": [3, 0],
        "SetDeviceConfigItem": [3, 3, 3],
        "InitDevice": [3],
    }
    assert [status for status, _ in statuses(done, "odla_DestroyDeviceConfig")] == [0, 3]
    assert statuses(done, "option")[0][0] == 3


# Attaching.


def test_attached_by_init_and_detached_by_destroy(tmp_path):
    """The four IPUs of the machine: one device holds them, until it is destroyed."""
    program = built(
        tmp_path,
        r"""
  odla_device all, one;
  odla_device_config config;
  odla_computation computation = net();
  odla_CreateDeviceConfig(&config);
  option(config, "__num_ipus", "4");
  odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &all);
  SHOW(odla_InitDevice(all, config));
  SHOW(odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &one));
  SHOW(run(net(), one));
  SHOW(odla_SetCurrentDevice(all));
  odla_computation large = net();
  SHOW(run(large, NULL));
  SHOW(odla_SetCurrentDevice(NULL));
  SHOW(odla_DestroyDevice(all));
  SHOW(run(net(), one));
  SHOW(run(large, NULL));
  SHOW(run(computation, all));
""",
    )
    done = programs.run(program, ODLA_IPU_SIM_IPUS=4)
    assert statuses(done, "odla_InitDevice") == [(0, "")]
    found = [status for status, _ in statuses(done, "run")]
    assert found == [6, 0, 0, 0, 3], done.stdout
    assert "none free" in statuses(done, "run")[0][1]


def test_the_current_device_is_of_the_thread(tmp_path):
    source = PRELUDE.replace("#include <stdio.h>", "#include <pthread.h>\n#include <stdio.h>")
    source += r"""
static odla_device device;

static void* other(void* given) {
  odla_computation* computation = given;
  *computation = net();
  return NULL;
}

static void used(void) {
  odla_scalar_value value;
  odla_GetDeviceInfo(device, ODLA_DEVICE_INFO_USED_MEMORY, &value);
  printf("used %d\n", value.val_int64 > 0);
}

int main(void) {
  pthread_t thread;
  odla_computation computation;
  (void)option, (void)information;
  odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 5, &device);
  SHOW(odla_SetCurrentDevice(device));
  pthread_create(&thread, NULL, other, &computation);
  pthread_join(thread, NULL);
  SHOW(run(computation, NULL));
  used();
  SHOW(run(net(), NULL));
  used();
  SHOW(odla_SetCurrentDevice((odla_device)&device));
  return 0;
}
"""
    done = programs.run(programs.build(tmp_path, source))
    assert [line for line in done.stdout.splitlines() if "used" in line] == ["used 0", "used 1"]
    assert [status for status, _ in statuses(done, "odla_SetCurrentDevice")] == [0, 3]


# Profiling.


def test_a_trace_tells_the_ops_that_ran(tmp_path):
    program = built(
        tmp_path,
        r"""
  odla_device device;
  odla_device_trace trace, empty;
  const odla_char *json = "none", *again = "none";
  odla_computation computation = net();
  odla_ipu_item item = {"kind", "ops"};
  odla_AllocateDevice(NULL, ODLA_DEVICE_DEFAULT, 0, &device);
  SHOW(odla_RetrieveDeviceTrace(device, &trace));
  SHOW(odla_StopDeviceProfiler(device));
  SHOW(run(computation, device));
  SHOW(odla_StartDeviceProfiler(device));
  SHOW(odla_StartDeviceProfiler(device));
  for (int i = 0; i < 3; ++i) SHOW(run(computation, device));
  SHOW(odla_StopDeviceProfiler(device));
  SHOW(odla_StopDeviceProfiler(device));
  SHOW(run(computation, device));
  SHOW(odla_RetrieveDeviceTrace(device, &trace));
  SHOW(odla_ipu_TraceToJSON(trace, &json));
  printf("json %s\n", json);
  SHOW(odla_SetDeviceTraceItem(trace, (odla_device_trace_item)&item));
  SHOW(odla_ipu_TraceToJSON(trace, &again));
  printf("again %s\n", again);
  SHOW(odla_ReleaseDeviceTrace(trace));
  SHOW(odla_ReleaseDeviceTrace(trace));
  SHOW(odla_ipu_TraceToJSON(trace, &json));
  SHOW(odla_CreateDeviceTrace(&empty));
  SHOW(odla_SetDeviceTraceItem(empty, (odla_device_trace_item)&item));
  SHOW(odla_SetDeviceTraceItem(empty, NULL));
  SHOW(odla_ipu_TraceToJSON(empty, &json));
  SHOW(odla_ReleaseDeviceTrace(empty));
""",
    )
    done = programs.run(program)
    assert [status for status, _ in statuses(done, "run")] == [0] * 5
    assert [status for status, _ in statuses(done, "odla_RetrieveDeviceTrace")] == [3, 0]
    assert [status for status, _ in statuses(done, "odla_StopDeviceProfiler")] == [3, 0, 0]
    assert [status for status, _ in statuses(done, "odla_StartDeviceProfiler")] == [0, 3]
    assert [status for status, _ in statuses(done, "odla_ipu_TraceToJSON")] == [0, 0, 3, 3]
    assert [status for status, _ in statuses(done, "odla_SetDeviceTraceItem")] == [0, 0, 3]
    (text,) = [line[5:] for line in done.stdout.splitlines() if line.startswith("json ")]
    events = [event for event in json.loads(text)["traceEvents"] if event["ph"] == "X"]
    (text,) = [line[6:] for line in done.stdout.splitlines() if line.startswith("again ")]
    assert json.loads(text)["otherData"] == {"kind": "ops"}
    runs = [event for event in events if event["cat"] == "run"]
    assert len(runs) == 3
    for run in runs:
        inside = [
            event
            for event in events
            if event["cat"] == "op" and run["ts"] <= event["ts"] <= run["ts"] + run["dur"]
        ]
        names = "+".join(event["name"] for event in inside).split("+")
        ops = "+".join(event["args"]["op"] for event in inside).split("+")
        assert {"fc", "act"} <= set(names) and {"odla_Gemm", "odla_Relu"} <= set(ops)
        assert 0 < sum(event["dur"] for event in inside) <= run["dur"]


def test_profiling_asynchronously(tmp_path):
    """What is asked for at once happens in order, and before what is asked for later."""
    program = built(
        tmp_path,
        r"""
  odla_device_trace trace;
  const odla_char* json = "none";
  odla_computation computation = net();
  SHOW(run(computation, NULL));
  SHOW(odla_AsyncStartDeviceProfiler(NULL));
  for (int i = 0; i < 200; ++i)
    if (run(computation, NULL)) return 1;
  SHOW(odla_AsyncStopDeviceProfiler(NULL));
  SHOW(odla_RetrieveDeviceTrace(NULL, &trace));
  SHOW(odla_ipu_TraceToJSON(trace, &json));
  printf("json %s\n", json);
""",
    )
    done = programs.run(program)
    (text,) = [line[5:] for line in done.stdout.splitlines() if line.startswith("json ")]
    events = json.loads(text)["traceEvents"]
    assert sum(event.get("cat") == "run" for event in events) <= 200

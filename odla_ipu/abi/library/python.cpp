// Starting Python, and the way into it.
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "configuration.h"
#include "ops.h"
#include "queue.h"
#include "support.h"

namespace odla_ipu {

int32_t has_own_logger();

namespace {

enum class State { fresh, running, failed, ended };

std::mutex start_mutex;
std::atomic<State> state{State::fresh};
std::string start_failure;
odla_ipu_bridge bridge{};

bool exists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

std::string parent(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

// The folder of this library, odla_ipu/abi.
std::string own_folder() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void*>(&own_folder), &info) || !info.dli_fname)
    return ODLA_IPU_BUILD_FOLDER;
  char* real = ::realpath(info.dli_fname, nullptr);
  std::string path = real ? real : info.dli_fname;
  std::free(real);
  return parent(path);
}

// The interpreter whose packages a C program uses: of ODLA_IPU_PYTHONHOME, else the one of the
// installation that holds this library, else the one it was built with.
std::string python_executable(const std::string& folder) {
  const char* home = std::getenv("ODLA_IPU_PYTHONHOME");
  if (home && *home) {
    for (const char* name : {"/bin/python3", "/bin/python"})
      if (exists(home + std::string(name))) return home + std::string(name);
    throw Failure(ODLA_DL_ERROR, std::string("ODLA_IPU_PYTHONHOME is ") + home +
                                     ", which has no bin/python3; accepted: the folder of a "
                                     "virtual environment or of a Python");
  }
  // prefix/lib/python3.x/site-packages/odla_ipu/abi
  std::string prefix = folder;
  for (int up = 0; up < 5; ++up) prefix = parent(prefix);
  if (exists(prefix + "/pyvenv.cfg") && exists(prefix + "/bin/python3"))
    return prefix + "/bin/python3";
  return ODLA_IPU_PYTHON_EXECUTABLE;
}

// Makes Python's symbols visible to all libraries: its extension modules are not linked with it.
void open_python_library() {
  if (dlsym(RTLD_DEFAULT, "Py_IsInitialized")) return;
  std::string tried;
  for (const char* path : {ODLA_IPU_PYTHON_LIBRARY, ODLA_IPU_PYTHON_SONAME}) {
    if (*path && dlopen(path, RTLD_NOW | RTLD_GLOBAL)) return;
    const char* why = *path ? dlerror() : nullptr;
    if (why) tried += std::string(tried.empty() ? "" : "; ") + why;
  }
  throw Failure(ODLA_DL_ERROR,
                "Python's library cannot be loaded (" + tried +
                    "); install the shared library of Python " ODLA_IPU_PYTHON_VERSION
                    ", or reinstall odla_ipu with a Python that has one");
}

void check_version() {
  auto version = reinterpret_cast<const char* (*)()>(dlsym(RTLD_DEFAULT, "Py_GetVersion"));
  std::string wanted = ODLA_IPU_PYTHON_VERSION;
  std::string found = version ? version() : "unknown";
  if (found.compare(0, wanted.size(), wanted) != 0 ||
      std::isdigit(static_cast<unsigned char>(found.c_str()[wanted.size()])))
    throw Failure(ODLA_DL_ERROR, "this process holds Python " + found.substr(0, found.find(' ')) +
                                     ", but the library is installed for Python " + wanted);
}

void start() {
  std::string folder = own_folder();
  std::string executable = python_executable(folder), package_path = parent(parent(folder));
  open_python_library();
  check_version();
  std::string path = folder + "/" ODLA_IPU_BRIDGE_FILE;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw Failure(ODLA_DL_ERROR, std::string(dlerror()) + "; reinstall odla_ipu");
  auto entry = reinterpret_cast<odla_ipu_start>(dlsym(library, "odla_ipu_start_python"));
  if (!entry) throw Failure(ODLA_DL_ERROR, path + " is not this library's; reinstall odla_ipu");
  odla_ipu_host host{};
  host.ops = op_names;
  host.num_ops = op_count;
  host.executable = executable.c_str();
  host.package_path = package_path.c_str();
  host.log = [](int32_t level, const char* message) {
    log_message(static_cast<odla_log_level>(level), "odla_ipu", 0, "", message);
  };
  host.has_logger = has_own_logger;
  host.shut_down = [] { shut_down(); };
  std::vector<char> message(1 << 14);
  if (entry(&host, &bridge, message.data(), message.size()) != 0)
    throw Failure(ODLA_DL_ERROR, std::string("Python cannot start: ") + message.data());
}

// A function of Python's, looked up until it is there.
template <class Function>
Function python_function(std::atomic<Function>& found, const char* name) {
  Function function = found.load(std::memory_order_relaxed);
  if (function == nullptr) {
    function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
    found.store(function, std::memory_order_relaxed);
  }
  return function;
}

std::atomic<int (*)()> is_initialized, holds_lock;
std::atomic<void* (*)()> save_thread;
std::atomic<void (*)(void*)> restore_thread;

}  // namespace

// A thread of a Python program that calls us through ctypes.PyDLL holds the lock.
WithoutInterpreterLock::WithoutInterpreterLock() {
  auto initialized = python_function(is_initialized, "Py_IsInitialized");
  if (!initialized || !initialized()) return;
  auto holds = python_function(holds_lock, "PyGILState_Check");
  auto save = python_function(save_thread, "PyEval_SaveThread");
  if (holds && save && holds()) state_ = save();
}

WithoutInterpreterLock::~WithoutInterpreterLock() {
  if (!state_) return;
  auto restore = python_function(restore_thread, "PyEval_RestoreThread");
  if (restore) restore(state_);
}

void end_python_at_exit();

bool python_is_running() { return state.load(std::memory_order_acquire) == State::running; }

const odla_ipu_bridge& python() {
  if (state.load(std::memory_order_acquire) == State::running) return bridge;
  WithoutInterpreterLock unlocked;
  std::lock_guard<std::mutex> lock(start_mutex);
  switch (state.load()) {
    case State::running:
      return bridge;
    case State::ended:
      throw Failure(ODLA_DL_ERROR, "the process is ending and Python has ended");
    case State::failed:
      throw Failure(ODLA_DL_ERROR, start_failure);
    case State::fresh:
      break;
  }
  try {
    start();
  } catch (const Failure& failure) {
    start_failure = failure.what();
    state.store(State::failed);
    throw;
  }
  state.store(State::running, std::memory_order_release);
  end_python_at_exit();
  return bridge;
}

// What is registered last is done first: registered again when the engine has been loaded, Python
// lets go of it before it goes itself.
void end_python_at_exit() {
  std::atexit([] {
    if (!python_is_running()) return;
    Queue::finish_all();
    try {
      Call()(ODLA_IPU_SHUT_DOWN);
    } catch (...) {
    }
    end_python();
  });
}

void engine_is_loaded() {
  static std::atomic<bool> done{false};
  if (!done.load(std::memory_order_relaxed) && !done.exchange(true)) end_python_at_exit();
}

void end_python() {
  State running = State::running;
  state.compare_exchange_strong(running, State::ended);
}

}  // namespace odla_ipu

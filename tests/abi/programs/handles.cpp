// Handles, bindings and failures that need no Python: what valgrind looks at.
#include "check.h"

#include <thread>
#include <vector>

CASE(handles_are_never_used_again) {
  odla_context first, k;
  OK(odla_CreateContext(&first));
  OK(odla_DestroyContext(first));
  for (int i = 0; i < 1000; ++i) {
    OK(odla_CreateContext(&k));
    CHECK(k != first);
    OK(odla_DestroyContext(k));
    INVALID(odla_DestroyContext(first));
  }
}

CASE(places_run_out_of_generations) {
  odla_context k, kept;
  OK(odla_CreateContext(&kept));
  for (int i = 0; i < 3000000; ++i) {
    if (odla_CreateContext(&k) || odla_DestroyContext(k)) {
      fail(__FILE__, __LINE__, "at %d", i);
      break;
    }
  }
  INVALID(odla_DestroyContext(k));
  OK(odla_DestroyContext(kept));
}

CASE(many_at_a_time) {
  std::vector<odla_context> all(5000);
  for (auto& one : all) OK(odla_CreateContext(&one));
  for (size_t i = 0; i < all.size(); i += 2) OK(odla_DestroyContext(all[i]));
  for (size_t i = 0; i < all.size(); i += 2) INVALID(odla_DestroyContext(all[i]));
  for (size_t i = 1; i < all.size(); i += 2) OK(odla_DestroyContext(all[i]));
}

CASE(threads_share_the_table) {
  odla_context shared;
  OK(odla_CreateContext(&shared));
  std::vector<std::thread> threads;
  std::vector<int> destroyed(8);
  for (int number = 0; number < 8; ++number)
    threads.emplace_back([&destroyed, shared, number] {
      int batch = 1;
      for (int i = 0; i < 500; ++i) {
        odla_context k;
        odla_CreateContext(&k);
        odla_SetContextItem(k, ODLA_RUN_BATCH_SIZE, (odla_item_value)&batch);
        odla_SetContextItem(shared, ODLA_RUN_BATCH_SIZE, (odla_item_value)&batch);
        odla_DestroyContext(k);
        odla_DestroyContext(k);
      }
      destroyed[number] = odla_DestroyContext(shared) == ODLA_SUCCESS;
    });
  for (auto& one : threads) one.join();
  int count = 0;
  for (int one : destroyed) count += one;
  CHECK(count == 1);
}

CASE(other_kinds) {
  odla_device_config config;
  odla_vendor vendor;
  odla_ipu_item item = {"key", "value"};
  OK(odla_CreateDeviceConfig(&config));
  OK(odla_SetDeviceConfigItem(config, (odla_device_config_item)&item));
  INVALID(odla_DestroyContext((odla_context)config));
  SAYS("a handle of a device config");
  OK(odla_DestroyDeviceConfig(config));
  OK(odla_GetVendor(ODLA_VENDOR_DEFAULT, &vendor));
  INVALID(odla_DestroyContext((odla_context)vendor));
  NO_VALUE(odla_Relu((odla_value)vendor, nullptr), "a handle of a vendor");
  NO_VALUE(odla_Add(nullptr, (odla_value)config, nullptr), "destroyed");
}

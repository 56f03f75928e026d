// Seconds a call of the model in a file through ONNX Runtime's C API, on one thread, as JSON.
//   policy_onnx LIBRARY MODEL
// The library of Python's package comes without a header. Its API is a table of functions to which later versions only add,
// so that a function is known by its number in it (onnxruntime_c_api.h, struct OrtApi).
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CALLS = 20000, BLOCKS = 5 };
enum { GET_ERROR_MESSAGE = 2, CREATE_ENV = 3, CREATE_SESSION = 7, RUN = 9, CREATE_SESSION_OPTIONS = 10, SET_INTRA_OP_NUM_THREADS = 24,
       CREATE_TENSOR_WITH_DATA = 49, CREATE_CPU_MEMORY_INFO = 69 };
enum { WARNING = 2, FLOAT = 1, DEVICE_ALLOCATOR = 0, MEM_TYPE_DEFAULT = 0, API_VERSION = 1 };

typedef struct ApiBase { void **(*get)(uint32_t version); const char *(*version)(void); } ApiBase;

static void **api;

static void need(void *status) {
  if (!status) return;
  const char *(*message)(void *) = (const char *(*)(void *))api[GET_ERROR_MESSAGE];
  fprintf(stderr, "%s\n", message(status));
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  void *lib = argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
  ApiBase *(*base)(void) = lib ? (ApiBase *(*)(void))dlsym(lib, "OrtGetApiBase") : NULL;
  if (!base || !(api = base()->get(API_VERSION))) {
    fprintf(stderr, "usage: policy_onnx LIBRARY MODEL\n");
    return 2;
  }
  void *env, *options, *session, *memory, *in, *out;
  float x[4] = { 0.1f, -0.2f, 0.3f, -0.4f }, y[2];
  int64_t in_shape[2] = { 1, 4 }, out_shape[2] = { 1, 2 };
  need(((void *(*)(int, const char *, void **))api[CREATE_ENV])(WARNING, "policy", &env));
  need(((void *(*)(void **))api[CREATE_SESSION_OPTIONS])(&options));
  need(((void *(*)(void *, int))api[SET_INTRA_OP_NUM_THREADS])(options, 1));
  need(((void *(*)(void *, const char *, void *, void **))api[CREATE_SESSION])(env, argv[2], options, &session));
  need(((void *(*)(int, int, void **))api[CREATE_CPU_MEMORY_INFO])(DEVICE_ALLOCATOR, MEM_TYPE_DEFAULT, &memory));
  void *(*tensor)(void *, void *, size_t, const int64_t *, size_t, int, void **) =
      (void *(*)(void *, void *, size_t, const int64_t *, size_t, int, void **))api[CREATE_TENSOR_WITH_DATA];
  need(tensor(memory, x, sizeof x, in_shape, 2, FLOAT, &in));
  need(tensor(memory, y, sizeof y, out_shape, 2, FLOAT, &out));
  void *(*run)(void *, void *, const char **, void **, size_t, const char **, size_t, void **) =
      (void *(*)(void *, void *, const char **, void **, size_t, const char **, size_t, void **))api[RUN];
  const char *in_name = "x", *out_name = "y2";
  printf("{\"samples\": [");
  for (int b = 0; b < BLOCKS; b++) {
    double t = now();
    for (int i = 0; i < CALLS; i++) {
      need(run(session, NULL, &in_name, &in, 1, &out_name, 1, &out));
      x[0] = 0.1f * y[0];
    }
    printf("%s%.4g", b ? ", " : "", (now() - t) / CALLS);
  }
  printf("]}\n");
  return 0;
}

// PPO, SAC and TD3 on Pendulum-v1 in rl-tools, at the settings of its own benchmarks, as far as its loops have them:
// rltools ppo|sac|td3 SEED. Prints one line of JSON: the seconds that training took, its environment steps and updates,
// and the mean return of 100 episodes without noise afterwards, which is not timed.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/resource.h>

#include <rl_tools/operations/cpu_mux.h>

#include <rl_tools/nn/optimizers/adam/instance/operations_generic.h>

#include <rl_tools/nn/operations_cpu_mux.h>

#include <rl_tools/nn/layers/sample_and_squash/operations_generic.h>
#include <rl_tools/nn/layers/standardize/operations_generic.h>
#include <rl_tools/nn/layers/td3_sampling/operations_generic.h>

#include <rl_tools/rl/environments/pendulum/operations_cpu.h>

#include <rl_tools/nn_models/mlp/operations_generic.h>
#include <rl_tools/nn_models/mlp_unconditional_stddev/operations_generic.h>
#include <rl_tools/nn_models/sequential/operations_generic.h>

#include <rl_tools/nn/optimizers/adam/operations_generic.h>

#include <rl_tools/rl/algorithms/ppo/loop/core/config.h>
#include <rl_tools/rl/algorithms/sac/loop/core/config.h>
#include <rl_tools/rl/algorithms/td3/loop/core/config.h>
#include <rl_tools/rl/loop/steps/evaluation/config.h>

#include <rl_tools/rl/algorithms/ppo/loop/core/operations_generic.h>
#include <rl_tools/rl/algorithms/sac/loop/core/operations_generic.h>
#include <rl_tools/rl/algorithms/td3/loop/core/operations_generic.h>
#include <rl_tools/rl/loop/steps/evaluation/operations_generic.h>

namespace rlt = rl_tools;
namespace algorithms = rlt::rl::algorithms;

using Device = rlt::devices::DEVICE_FACTORY<>;
using Size = Device::index_t;
using Policy = rlt::numeric_types::Policy<float>;
using Random = Device::SPEC::RANDOM::ENGINE<>;
using Pendulum = rlt::rl::environments::Pendulum<rlt::rl::environments::pendulum::Specification<float, Size>>;

// 75 rollouts of 4 x 1,024 steps. The loop makes one more, at its start, to see the observations' mean and deviation;
// it ends after the step that passes its limit.
struct Ppo : algorithms::ppo::loop::core::DefaultParameters<Policy, Size, Pendulum> {
  static constexpr Size ROLLOUTS = 75, STEP_LIMIT = ROLLOUTS - 1;
  static constexpr Size N_ENVIRONMENTS = 4, ON_POLICY_RUNNER_STEPS_PER_ENV = 1024, BATCH_SIZE = 256;
  static constexpr Size EPISODE_STEP_LIMIT = 200;
  static constexpr Size DATASET_SIZE = N_ENVIRONMENTS * ON_POLICY_RUNNER_STEPS_PER_ENV;
  static constexpr bool NORMALIZE_OBSERVATIONS = true, NORMALIZE_OBSERVATIONS_CONTINUOUSLY = true;
  struct PPO_PARAMETERS : algorithms::ppo::DefaultParameters<Policy, Size, BATCH_SIZE> {
    static constexpr float GAMMA = 0.9, ACTION_ENTROPY_COEFFICIENT = 0, INITIAL_ACTION_STD = 2;
    static constexpr Size N_EPOCHS = 2;
  };
  static constexpr Size STEPS = ROLLOUTS * DATASET_SIZE;
  static constexpr Size UPDATES = PPO_PARAMETERS::N_EPOCHS * STEPS / BATCH_SIZE;
};

// The first 100 steps only fill the replay.
struct Sac : algorithms::sac::loop::core::DefaultParameters<Policy, Size, Pendulum> {
  static constexpr Size STEPS = 10000, STEP_LIMIT = STEPS, REPLAY_BUFFER_CAP = STEPS;
  struct SAC_PARAMETERS : algorithms::sac::DefaultParameters<Policy, Size, Pendulum::ACTION_DIM> {
    static constexpr Size ACTOR_BATCH_SIZE = 100, CRITIC_BATCH_SIZE = 100;
  };
  static constexpr Size UPDATES = STEPS - N_WARMUP_STEPS_CRITIC;
};

struct Td3 : algorithms::td3::loop::core::DefaultParameters<Policy, Size, Pendulum> {
  static constexpr Size STEPS = 10000, STEP_LIMIT = STEPS - 1, REPLAY_BUFFER_CAP = STEPS;
  static constexpr Size EPISODE_STEP_LIMIT = 200;
  static constexpr Size UPDATES = STEPS - N_WARMUP_STEPS_CRITIC;
};

template <typename Core, typename Parameters>
static int train(Size seed) {
  using Loop = rlt::rl::loop::steps::evaluation::Config<Core>;
  static typename Core::template State<Core> loop;
  Device device;
  rlt::init(device);
  rlt::malloc(device, loop);
  rlt::init(device, loop, seed);

  auto began = std::chrono::steady_clock::now();
  while (!rlt::step(device, loop)) {
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;

  using Episodes = rlt::rl::utils::evaluation::Specification<Policy, Size, Pendulum, 100, 200>;
  rlt::rl::utils::evaluation::Result<Episodes> result;
  rlt::rl::environments::DummyUI ui;
  rlt::Mode<rlt::mode::Evaluation<>> mode;
  rlt::evaluate(device, loop.envs[0], ui, rlt::get_actor(loop), result, loop.rng, mode);

  rusage use;
  getrusage(RUSAGE_SELF, &use);
  double steps = Parameters::STEPS, updates = Parameters::UPDATES, s = took.count();
  std::printf("{\"train_s\": %.6f, \"steps\": %.0f, \"steps_per_s\": %.1f, \"updates\": %.0f, \"updates_per_s\": %.1f, "
              "\"score\": %.2f, \"rss_mb\": %.1f}\n",
              s, steps, steps / s, updates, updates / s, result.returns_mean, use.ru_maxrss / 1024.0);
  return 0;
}

int main(int argc, char **argv) {
  const char *algorithm = argc == 3 ? argv[1] : "";
  Size seed = argc == 3 ? std::strtoul(argv[2], nullptr, 10) : 0;
  if (!std::strcmp(algorithm, "ppo"))
    return train<algorithms::ppo::loop::core::Config<Policy, Size, Random, Pendulum, Ppo>, Ppo>(seed);
  if (!std::strcmp(algorithm, "sac"))
    return train<algorithms::sac::loop::core::Config<Policy, Size, Random, Pendulum, Sac>, Sac>(seed);
  if (!std::strcmp(algorithm, "td3"))
    return train<algorithms::td3::loop::core::Config<Policy, Size, Random, Pendulum, Td3>, Td3>(seed);
  std::fprintf(stderr, "usage: rltools ppo|sac|td3 SEED\n");
  return 2;
}

// The examples still learn. Fixed seeds and budgets of steps; nothing here looks at a clock. The bits of a run
// depend on the vector unit (where products are fused), so each budget leaves room for other luck.
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

// What a command says, where it exits with 0; else "".
static const char *said(const char *command) {
  static char text[8192];
  FILE *f = popen(command, "r");
  if (!f) return "";
  size_t n = fread(text, 1, sizeof text - 1, f);
  text[n] = 0;
  return pclose(f) == 0 ? text : "";
}

// The summary that a run of examples/FILE ends with; "" where it failed.
static const char *train(const char *file, const char *options) {
  static char command[4096];
  snprintf(command, sizeof command, "'%s' run '%s/examples/%s' --quiet --summary json --seed 1 %s", test_binary(), test_root(), file, options);
  return said(command);
}

static double number(const char *json, const char *name) {
  char key[64];
  snprintf(key, sizeof key, "\"%s\": ", name);
  const char *at = strstr(json, key);
  return at ? strtod(at + strlen(key), NULL) : NAN;
}

static void solves(const char *file, const char *options) {
  const char *json = train(file, options);
  CU_ASSERT_PTR_NOT_NULL(strstr(json, "\"solved\": true"));
  CU_ASSERT(number(json, "eval_return") >= 475);
}

static void cartpole_ppo(void) { solves("cartpole_ppo.rl", "--set max_steps=60_000"); }
static void cartpole_dqn(void) { solves("cartpole_dqn.rl", "--set max_steps=200_000"); }
static void cartpole_dueling(void) { solves("cartpole_dqn.rl", "--set dueling=true --set max_steps=200_000"); }
static void cartpole_reinforce(void) { solves("cartpole_reinforce.rl", "--set max_steps=500_000"); }

// A policy that knows nothing earns about -1,200.
static void pendulum_ppo(void) { CU_ASSERT(number(train("pendulum_ppo.rl", ""), "eval_return") >= -300); }

// Within 10,000 steps; one update of everything at each. `rlc verify` claims it of three seeds.
static void pendulum_sac(void) { CU_ASSERT(number(train("pendulum_sac.rl", ""), "eval_return") >= -200); }
static void pendulum_td3(void) { CU_ASSERT(number(train("pendulum_td3.rl", ""), "eval_return") >= -200); }

static void evolve(void) { solves("evolve_cartpole.rl", ""); }

// Plain training (inner=0) leaves about 3.3 after one step on five points.
static void maml(void) { CU_ASSERT(number(train("maml_sinusoid.rl", "--set steps=5_000"), "error_after") < 1.6); }

// The derivative of a loss that takes a gradient step, along a random direction, against central differences.
static void meta_gradient(void) {
  static char command[4096];
  snprintf(command, sizeof command, "'%s' eval --exact '{"
           "let p = net.init(key); let d = normal(key, p); let ts = tasks(4, key); let k = split(key, 1)[0];"
           "let f = |q| meta(q, ts, 1, 2, k);"
           "let a = fold(grad(f)(p) * d, 0.0, |s, x| s + sum(x)); let n = (f(p + 1e-6 * d) - f(p - 1e-6 * d)) / 2e-6;"
           "abs(a - n) < 1e-4 * abs(n) }' '%s/examples/maml_sinusoid.rl'", test_binary(), test_root());
  CU_ASSERT_STRING_EQUAL(said(command), "bool = true\n");
}

static void digits(void) { CU_ASSERT(number(train("digits_cnn.rl", "--set epochs=8"), "eval_return") >= 0.96); }

// Every claim of the experiment in a file holds.
static void verify(const char *file) {
  char command[4096];
  snprintf(command, sizeof command, "'%s' verify '%s/%s' --quiet && echo all", test_binary(), test_root(), file);
  const char *out = said(command);
  if (!strstr(out, "\nall\n")) fputs(out, stderr);
  CU_ASSERT_PTR_NOT_NULL(strstr(out, "\nall\n"));
  CU_ASSERT_PTR_NULL(strstr(out, "FAILS"));
}

static void library(void) { verify("tests/learn/library.rl"); }
static void large_states(void) { verify("tests/learn/copies.rl"); }
static void karate(void) { verify("examples/gcn_karate.rl"); }
static void double_pendulum(void) { verify("examples/double_pendulum.rl"); }

// What examples claim of themselves: FILE and a function of it that is true.
static void claims(void) {
  static const char *const claim[][2] = {
    {"s5_recall", "forms_agree(key)"}, {"srwm_fewshot", "forms_agree(key)"}, {"quantum_maze", "shift_rule_holds(key)"},
    {"char_gpt", "cache_agrees(key)"},
  };
  for (size_t i = 0; i < sizeof claim / sizeof *claim; i++) {
    char command[4096];
    snprintf(command, sizeof command, "'%s' eval '%s' '%s/examples/%s.rl'", test_binary(), claim[i][1], test_root(), claim[i][0]);
    CU_ASSERT_STRING_EQUAL(said(command), "bool = true\n");
  }
}

void suite_learn(void) {
  CU_pSuite s = test_suite("learn");
  test_add(s, "CartPole with PPO", cartpole_ppo);
  test_add(s, "CartPole with DQN", cartpole_dqn);
  test_add(s, "CartPole with a dueling head", cartpole_dueling);
  test_add(s, "CartPole with REINFORCE", cartpole_reinforce);
  test_add(s, "Pendulum with PPO", pendulum_ppo);
  test_add(s, "Pendulum with SAC", pendulum_sac);
  test_add(s, "Pendulum with TD3", pendulum_td3);
  test_add(s, "CartPole by evolution", evolve);
  test_add(s, "MAML", maml);
  test_add(s, "MAML's gradient", meta_gradient);
  test_add(s, "large states updated in part", large_states);
  test_add(s, "the karate club", karate);
  test_add(s, "digits", digits);
  test_add(s, "what examples claim", claims);
  test_add(s, "double pendulum", double_pendulum);
  test_add(s, "the library", library);
}

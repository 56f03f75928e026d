// rlc: the table of commands and what they share.
#include <errno.h>
#include <string.h>

#include "driver/driver.h"

#define RUN_OPTIONS \
  "  --trainer NAME              which trainer, where the file has several (default: the last)\n"
#define TARGET_OPTIONS \
  "  --target-cpu CPU            x86-64, x86-64-v3, x86-64-v4, znver4, … (default: this machine's)\n"

const Command commands[] = {
  { "run", "compile a trainer and train it here and now",
    "usage: rlc run FILE [OPTION]...\n"
    "Compiles the trainer in FILE and runs it until its stop condition holds.\n\n"
    "examples:\n"
    "  rlc run cartpole.rl\n"
    "  rlc run cartpole.rl --seed 7 --set lr=1e-3 --log run.jsonl\n"
    "  rlc run cartpole.rl --checkpoint run.ckpt      Ctrl-C, and then\n"
    "  rlc run cartpole.rl --resume run.ckpt\n\n"
    "Exit status: 0 trained, 1 a mistake in the program or its input, 2 a wrong command line,\n"
    "3 training diverged, 130 interrupted.\n\n"
    "options:\n" RUN_OPTIONS TARGET_OPTIONS
    "  --print-after PASS          print the graphs after a pass (all: after each)\n",
    command_run },
  { "build", "make a program that trains without rlc",
    "usage: rlc build FILE -o PROGRAM [OPTION]...\n"
    "Compiles the trainer in FILE to a program of its own. It takes the options of `rlc run`, gives the\n"
    "same results, and needs neither rlc nor LLVM. Settings that shape the code are fixed by --set here.\n"
    "A PROGRAM that ends in .o is an object file with the table `rlc_program` (runtime/abi.h).\n\n"
    "examples:\n"
    "  rlc build cartpole.rl -o cartpole && ./cartpole --seed 7\n"
    "  rlc build cartpole.rl -o cartpole --set envs=64 --target-cpu x86-64-v3\n"
    "  rlc build cartpole.rl -o cartpole.o --target aarch64-linux-gnu\n\n"
    "options:\n"
    "  -o PROGRAM                  where to put it\n"
    "  --set NAME=VALUE            another value for a setting\n" RUN_OPTIONS TARGET_OPTIONS
    "  --target TRIPLE             another machine; gives an object file\n",
    command_build },
  { "export", "take a trained policy away as an object file and a header",
    "usage: rlc export FILE --checkpoint CKPT [-o NAME.o] [OPTION]...\n"
    "Compiles an `export` of the trainer in FILE, with the state in CKPT as constants, to a plain C function:\n"
    "NAME.o and NAME.h. It needs neither rlc nor its runtime, allocates nothing and may be called by many threads.\n\n"
    "examples:\n"
    "  rlc run cartpole.rl --checkpoint run.ckpt && rlc export cartpole.rl --checkpoint run.ckpt -o act.o\n"
    "  rlc export cartpole.rl --checkpoint run.ckpt --name act -o act.o --target aarch64-linux-gnu\n\n"
    "options:\n"
    "  --checkpoint CKPT           what `rlc run --checkpoint` wrote\n"
    "  --name NAME                 which export, where the trainer has several (default: the last)\n"
    "  -o NAME.o                   where to put it; the header goes beside (default: the export's name)\n"
    "  --set NAME=VALUE            another value for a setting\n" RUN_OPTIONS TARGET_OPTIONS
    "  --target TRIPLE             another machine\n",
    command_export },
  { "check", "find mistakes; says nothing when there are none",
    "usage: rlc check FILE...\n"
    "Checks names, types and shapes of everything in the files, and that no step of a trainer copies a large state\n"
    "to update a part of it, without generating code.\n\n"
    "example:\n"
    "  rlc check cartpole.rl\n",
    command_check },
  { "fmt", "lay out source files in the one canonical way",
    "usage: rlc fmt [--check] FILE...\n"
    "Rewrites each file in the canonical layout; comments stay. `-` reads standard input and writes\n"
    "standard output.\n\n"
    "examples:\n"
    "  rlc fmt *.rl\n"
    "  rlc fmt --check *.rl        changes nothing; exit status 1 if a file would change\n",
    command_fmt },
  { "emit", "show a stage between source and machine code",
    "usage: rlc emit --STAGE FILE [OPTION]...\n"
    "stages:\n"
    "  --ir                        the graphs after all passes; --raw: as elaborated\n"
    "  --plan                      loops, buffers and what is fused\n"
    "  --llvm, --asm               LLVM IR, the target's assembly\n"
    "  --dot, --svg                a picture of the step, as Graphviz text or drawn\n"
    "FILE is a program (.rl) or IR text (.ir).\n\n"
    "examples:\n"
    "  rlc emit --svg cartpole.rl -o step.svg\n"
    "  rlc emit --svg --profile cartpole.rl -o hot.svg\n"
    "  rlc emit --asm cartpole.rl --target-cpu x86-64-v4 | grep zmm\n"
    "  rlc emit --ir --fn clipped cartpole.rl\n\n"
    "options:\n"
    "  -o FILE                     write there instead of to standard output\n"
    "  --fn NAME                   this function instead of the trainer\n"
    "  --init                      pictures: the trainer's init instead of its step\n"
    "  --raw                       before the passes\n"
    "  --profile                   pictures: run the step and colour its kernels by the time they take\n"
    "  --set NAME=VALUE            another value for a setting\n" RUN_OPTIONS TARGET_OPTIONS
    "  --target TRIPLE             another machine\n"
    "  --print-after PASS          print the graphs after a pass (all: after each)\n",
    command_emit },
  { "bench", "time a trainer's step, kernel by kernel",
    "usage: rlc bench FILE [OPTION]...\n"
    "Compiles the trainer in FILE with a clock around every kernel, runs some steps and lists the kernels by\n"
    "the time they take: share of the step, executions a step, time of one, GFLOP/s, GB/s, and the share of\n"
    "what the machine can do at most (the greater of arithmetic and memory, measured in the same run).\n\n"
    "examples:\n"
    "  rlc bench cartpole.rl\n"
    "  rlc bench cartpole.rl --steps 200 --threads 1 --set envs=64\n\n"
    "options:\n"
    "  --steps N                   how many steps to time (default: as many as fit in two seconds)\n"
    "  --most N                    list so many kernels (default 30)\n"
    "  --threads N                 threads to work with (default: one a processor)\n"
    "  --seed N                    seed of the run\n"
    "  --set NAME=VALUE            another value for a setting\n" RUN_OPTIONS TARGET_OPTIONS,
    command_bench },
  { "verify", "run an experiment and say which of its claims hold",
    "usage: rlc verify FILE [OPTION]...\n"
    "Runs the experiment in FILE: trains what it asks for with several seeds, computes what it compares, and\n"
    "prints each claim with the numbers it is about. A trainer with the same settings and seed runs once.\n\n"
    "examples:\n"
    "  rlc verify paper.rl\n"
    "  rlc verify paper.rl --set seeds=10 --runs paper.runs\n\n"
    "Exit status: 0 every claim holds, 1 one does not, or a mistake in the program, 2 a wrong command line,\n"
    "3 a training diverged, 130 interrupted.\n\n"
    "options:\n"
    "  --experiment NAME           which experiment, where the file has several (default: the last)\n"
    "  --runs DIR                  keep the runs there; the same command goes on from what is there already\n"
    "  --set NAME=VALUE            another value for a setting of the experiment\n"
    "  --seed N                    the first seed (default 0); the others follow it\n"
    "  --threads N                 threads to work with (default: one a processor, at most 16)\n"
    "  --summary json              end standard output with one JSON line\n"
    "  --quiet                     no progress of the runs\n" TARGET_OPTIONS,
    command_verify },
  { "opt", "run passes on IR text",
    "usage: rlc opt [--passes=NAME,...] [--print-after PASS] FILE\n"
    "Reads IR text, runs the passes named (default: all) and prints the graph. `-` reads standard input.\n\n"
    "examples:\n"
    "  rlc emit --ir --raw cartpole.rl > step.ir\n"
    "  rlc opt --passes=simplify,autodiff step.ir\n",
    command_opt },
  { "eval", "compute an expression or a graph with the reference evaluator",
    "usage: rlc eval EXPRESSION [FILE.rl]\n"
    "       rlc eval FILE.ir [--in NAME=NUMBERS]...\n"
    "Computes, slowly and obviously: an expression in the scope of FILE, or an IR graph on given inputs\n"
    "(row-major numbers separated by commas; one number fills the array).\n\n"
    "examples:\n"
    "  rlc eval 'grad(|x| tanh(x)^2)(0.5)'\n"
    "  rlc eval 'softmax([1.0, 2.0, 3.0])' losses.rl\n"
    "  rlc eval step.ir --in x=1,2,3,4 --in lr=0.1\n\n"
    "options:\n"
    "  --exact                     floats stay in double precision\n"
    "  --in NAME=NUMBERS           an input of the graph\n",
    command_eval },
  { "passes", "list the passes in order, with what each needs and gives",
    "usage: rlc passes\n", command_passes },
  { "ops", "list the operations of the IR",
    "usage: rlc ops [--markdown] [NAME]...\n"
    "       rlc ops --builtins [--markdown]\n"
    "       rlc ops --library\n"
    "Prints the op table: name, attributes, and what it computes; or what the language offers without `use`;\n"
    "or a page on the library.\n\n"
    "examples:\n"
    "  rlc ops dot scan\n"
    "  rlc ops --markdown > docs/ops.md              (`ninja docs` makes the generated pages)\n",
    command_ops },
  { 0 },
};

// ---- the program ----------------------------------------------------------------------------------------
static int help(void) {
  puts("rlc compiles a model and the learning loop around it to native code.\n\n"
       "usage: rlc COMMAND FILE [OPTION]...\n\ncommands:");
  for (const Command *c = commands; c->name; c++) printf("  %-8s %s\n", c->name, c->brief);
  puts("\n`rlc COMMAND --help` shows a command's options with examples. To begin with:\n"
       "  rlc run examples/cartpole_ppo.rl");
  return RT_FINE;
}

static int command_help(const Command *c) {
  fputs(c->help, stdout);
  if (c->run == command_run) rt_options_help(stdout);
  return RT_FINE;
}

static int dispatch(Driver *d, int argc, char **argv) {
  if (argc < 2) return help(), RT_USAGE;
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) return help();
  const Command *c = commands;
  while (c->name && strcmp(c->name, argv[1])) c++;
  if (!c->name) return usage("", "there is no command `%s`", argv[1]);
  for (int i = 2; i < argc; i++)
    if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return command_help(c);
  return c->run(d, argc - 1, argv + 1);
}

int main(int argc, char **argv) {
  jmp_buf oom;
  Arena arena = { .oom = &oom };
  Diags diags = { .arena = &arena };
  Driver d = { &arena, &diags, rt_now() };
  if (setjmp(oom)) return complain("out of memory");
  int status = dispatch(&d, argc, argv);
  if (fflush(stdout) != 0 || ferror(stdout)) status = complain("cannot write standard output: %s", strerror(errno));
  arena_free(&arena);
  return status;
}

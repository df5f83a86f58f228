/** `tsukube COMMAND`: finds the command, loads only its module, runs it. */
import { messageOf } from '../base/errors.ts';
import { commands } from './commands.ts';
import { describeFlags, parseFlags, UsageError } from './flags.ts';

function overview(): string {
  const width = Math.max(...commands.map(c => c.name.length)) + 2;
  const sections = [...new Set(commands.map(c => c.section))].map(section => {
    const rows = commands.filter(c => c.section === section).map(c => `  ${c.name.padEnd(width)}${c.summary}`);
    return `${section}:\n${rows.join('\n')}`;
  });
  return `Kubernetes, complete, in one package.\n\n${sections.join('\n\n')}\n\nUse "tsukube COMMAND --help" for a command's flags.`;
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    console.log(overview());
    return 0;
  }
  const entry = commands.find(c => c.name === name);
  if (!entry) throw new UsageError(`unknown command "${name}"\n\n${overview()}`);
  const command = await entry.load();
  if (rest.includes('--help') || rest.includes('-h')) {
    console.log(
      `${entry.summary}\n\nUsage: tsukube ${entry.name} ${command.usage ?? '[flags]'}\n\n${describeFlags(command.flags)}`,
    );
    return 0;
  }
  const { values, positionals } = parseFlags(command.flags, rest);
  return (await command.run(values as never, positionals)) ?? 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(
    `tsukube: ${error instanceof UsageError || process.env['TSUKUBE_DEBUG'] === undefined ? messageOf(error) : (error as Error).stack}`,
  );
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

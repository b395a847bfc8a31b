/** The child process of examiner.ts: one exam for each message. */
import { startWorkers } from '../../../src/work/start-workers.ts';
import type { ExamQuestion } from './exam.ts';
import { examine } from './exam.ts';

const workers = startWorkers(2);
process.on('message', (question: ExamQuestion) => {
  // A rejection ends the process, as it would end the command.
  void examine(question, workers).then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit());

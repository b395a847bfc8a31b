/** Placeholder until the real one is here. */
import type { Repository } from './repository.ts';
export async function appendOperation(_repository: Repository, _record: unknown): Promise<void> {}

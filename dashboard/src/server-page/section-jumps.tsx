/** A jump to each section. */
import type { Section } from '../sections.ts'

export function SectionJumps({ sections }: { sections: readonly Section[] }) {
  return (
    <nav className="jumps" aria-label="Sections">
      {sections.map(({ id, title }) => (
        <a key={id} href={`#${id}`}>
          {title}
        </a>
      ))}
    </nav>
  )
}

/** What an entry of the browser's history says when the list was come to in order to search. */
export const searchState = 'search'
